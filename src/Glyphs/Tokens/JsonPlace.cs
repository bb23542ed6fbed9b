using System.Text.Json;

namespace Serving.Glyphs.Tokens;

/// <summary>A JSON value that knows its file and its key, so that every refusal can say where it happened.</summary>
/// <remarks>A key that is absent and a key that is null are the same thing here.</remarks>
internal readonly record struct JsonPlace(string File, string Where, JsonElement Value)
{
    private const int ShownCharacters = 60;
    private const string WholeCodePoints = "escapes of whole code points, not of lone surrogates";

    public bool IsNull => Value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    /// <summary>The value of a key of this object.</summary>
    public JsonPlace this[string key]
    {
        get
        {
            Require(JsonValueKind.Object, "an object");
            string where = Where.Length == 0 ? key : $"{Where}.{key}";
            return new(File, where, Find(key));
        }
    }

    public string Text()
    {
        Require(JsonValueKind.String, "a string");
        try
        {
            return Value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Refuse(WholeCodePoints);
        }
    }

    /// <summary>The key of a property of this object.</summary>
    public string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw Refuse(WholeCodePoints, "a key with a lone surrogate");
        }
    }

    public bool Flag(bool byDefault) => Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => IsNull ? byDefault : throw Refuse("true or false"),
    };

    /// <summary>A token id, 0 to <see cref="Vocabulary.HighestId"/>.</summary>
    public int Id() => IsId(Value, out int id) ? id : throw Refuse($"an id from 0 to {Vocabulary.HighestId}");

    public static bool IsId(JsonElement value, out int id)
    {
        id = -1;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out id) && id is >= 0 and <= Vocabulary.HighestId;
    }

    /// <summary>The elements of this array; none when it is absent.</summary>
    public JsonPlace[] Items()
    {
        if (IsNull) return [];
        Require(JsonValueKind.Array, "an array");
        var items = new JsonPlace[Value.GetArrayLength()];
        for (int index = 0; index < items.Length; index++) items[index] = At(index);
        return items;
    }

    public JsonPlace At(int index) => new(File, $"{Where}[{index}]", Value[index]);

    /// <summary>Fails on a key that stands twice, and on keys that are not known unless their value asks for nothing.</summary>
    public void RequireOnly(params ReadOnlySpan<string> known)
    {
        Require(JsonValueKind.Object, "an object");
        HashSet<string> seen = [];
        foreach (JsonProperty property in Value.EnumerateObject())
        {
            string key = NameOf(property);
            if (!seen.Add(key)) throw this[key].Refuse("each key once", "a second one");
            if (!known.Contains(key) && property.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False))
                throw this[key].Refuse("no such key, because its effect on the tokens is unknown");
        }
    }

    public void Require(JsonValueKind kind, string expected)
    {
        if (Value.ValueKind != kind) throw Refuse(expected);
    }

    public TokenizerFormatException Refuse(string expected) => Refuse(expected, Shown());

    public TokenizerFormatException Refuse(string expected, string found) =>
        new(File, Where.Length == 0 ? "top level" : Where, expected, found);

    private JsonElement Find(string key)
    {
        try
        {
            return Value.TryGetProperty(key, out JsonElement found) ? found : default;
        }
        catch (InvalidOperationException)
        {
            throw Refuse(WholeCodePoints, "a key with a lone surrogate");
        }
    }

    private string Shown()
    {
        if (Value.ValueKind == JsonValueKind.Undefined) return "nothing";
        string raw = Value.GetRawText();
        return raw.Length <= ShownCharacters ? raw : $"{raw.AsSpan(0, ShownCharacters)}...";
    }
}
