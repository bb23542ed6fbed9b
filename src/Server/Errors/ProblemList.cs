using System.Globalization;

namespace Serving.Server.Errors;

/// <summary>Collects everything that is wrong with a request, so that its sender can mend it in one go.</summary>
internal sealed class ProblemList
{
    private const int MaxShownChars = 64;

    private readonly List<Problem> _problems = [];

    public void Add(string param, string message, string code = ErrorCode.InvalidValue) =>
        _problems.Add(new Problem(code, param, message));

    public void Unsupported(bool given, string param, string message)
    {
        if (given)
            Add(param, message, ErrorCode.UnsupportedParameter);
    }

    /// <summary>Checks an integer, or gives the default for one that was left out.</summary>
    public int Integer(string param, int? value, int min, int max, int absent)
    {
        if (value < min || value > max)
            Add(param, $"'{param}' must be an integer from {min} to {max}; {value} was given.");
        return value ?? absent;
    }

    /// <summary>Checks a word, or gives the first allowed one for one that was left out.</summary>
    public string Choice(string param, string? value, params ReadOnlySpan<string> allowed)
    {
        if (value is not null && !allowed.Contains(value))
        {
            string shown = value.Length <= MaxShownChars ? value : $"{value[..(MaxShownChars - 1)]}…";
            Add(param, $"'{param}' must be \"{string.Join("\" or \"", allowed)}\"; \"{shown}\" was given.");
        }
        return value ?? allowed[0];
    }

    /// <summary>Checks a number, or gives the default for one that was left out. A number that is not finite is never inside;
    /// with <paramref name="aboveMin"/>, neither is the minimum.</summary>
    public float Number(string param, double? value, double min, double max, float absent, bool aboveMin = false)
    {
        if (value is not { } given)
            return absent;
        float number = (float)given;
        bool inside = number <= max && (aboveMin ? number > min : number >= min);
        if (!inside)
        {
            string range = aboveMin ? $"above {Show(min)} and at most {Show(max)}" : $"from {Show(min)} to {Show(max)}";
            Add(param, $"'{param}' must be a number {range}; {Show(given)} was given.");
        }
        return number;
    }

    /// <summary>Ends the request when there is anything to tell.</summary>
    /// <exception cref="ApiException">With every problem's message.</exception>
    public void ThrowIfAny()
    {
        if (_problems.Count > 0)
            throw new ApiException(ErrorTable.Invalid(_problems));
    }

    private static string Show(double number) =>
        double.IsFinite(number) ? number.ToString(CultureInfo.InvariantCulture) : "a number beyond the range of double precision";
}
