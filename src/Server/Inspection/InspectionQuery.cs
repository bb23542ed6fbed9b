using System.Globalization;
using Serving.Server.Errors;

namespace Serving.Server.Inspection;

/// <summary>Checks what an inspection is asked for, and tells every problem at once. Made for one request.</summary>
internal sealed class InspectionQuery(TableInspection table)
{
    public const int MaxNeighbors = 100;
    public const int MaxTokens = 4096;
    public const int MaxScale = 32;
    public const int DefaultScale = 4;

    private readonly ProblemList _problems = new();

    public int Neighbors(int? given) => _problems.Integer("neighbors", given, 0, MaxNeighbors, absent: 0);

    public int Scale(int? given) => _problems.Integer("scale", given, 1, MaxScale, DefaultScale);

    public int Components(int? given) =>
        _problems.Integer("components", given, 0, table.Table.Dimensions, table.Table.Dimensions);

    /// <summary>The tokens of a text.</summary>
    public int[] TokensOf(string param, string? text, int most)
    {
        if (string.IsNullOrEmpty(text))
        {
            _problems.Add(param, $"'{param}' is missing or empty: give a text.");
            return [];
        }
        int[] ids = table.Tokenizer.Encode(text, addSpecialTokens: false);
        if (ids.Length > most)
            _problems.Add(param, $"'{param}' may have up to {most} tokens; it has {ids.Length}. Send less text at once.");
        return ids;
    }

    /// <summary>A list of ids, as <c>65,66,67</c>.</summary>
    public int[] Ids(string param, string list)
    {
        var ids = new List<int>();
        foreach (string item in list.Split(',', StringSplitOptions.TrimEntries))
        {
            if (int.TryParse(item, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < table.Table.Rows)
                ids.Add(id);
            else
                _problems.Add(param, $"'{param}' must be token ids from 0 to {table.Table.Rows - 1}, separated by commas; '{Clip(item)}' was given.");
        }
        return [.. ids];
    }

    /// <summary>Ids of a body.</summary>
    public int[] Ids(string param, int[] ids)
    {
        int bad = Array.FindIndex(ids, id => (uint)id >= (uint)table.Table.Rows);
        if (bad >= 0)
            _problems.Add($"{param}[{bad}]", $"A token id must be from 0 to {table.Table.Rows - 1}; {param}[{bad}] is {ids[bad]}.");
        return ids;
    }

    /// <summary>Checks how many things a list has.</summary>
    public void Count(string param, int count, int least, int most)
    {
        if (count < least || count > most)
            _problems.Add(param, $"'{param}' must have {least} to {most} tokens; {count} were given.");
    }

    public void Require(bool condition, string param, string message)
    {
        if (!condition) _problems.Add(param, message);
    }

    /// <exception cref="ApiException">400 with every problem's message.</exception>
    public void ThrowIfAny() => _problems.ThrowIfAny();

    private static string Clip(string text) => text.Length <= 32 ? text : $"{text[..31]}…";
}
