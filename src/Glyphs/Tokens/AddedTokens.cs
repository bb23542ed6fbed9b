namespace Serving.Glyphs.Tokens;

/// <summary>The added tokens of a tokenizer. Immutable.</summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<int, AddedToken> _byId;
    private readonly Dictionary<string, int> _ids;

    public AddedTokens(IReadOnlyCollection<AddedToken> tokens)
    {
        All = [.. tokens.OrderBy(token => token.Id)];
        _byId = tokens.ToDictionary(token => token.Id);
        _ids = tokens.ToDictionary(token => token.Content, token => token.Id, StringComparer.Ordinal);
        var passes = tokens.GroupBy(token => token.Normalized).OrderBy(pass => pass.Key);
        Matchers = [.. passes.Select(pass => new AddedTokenMatcher(pass))];
    }

    /// <summary>By id.</summary>
    public IReadOnlyList<AddedToken> All { get; }

    /// <summary>One after the other, each in the pieces of text that those before it left.</summary>
    public IReadOnlyList<AddedTokenMatcher> Matchers { get; }

    /// <summary>The highest id + 1; 0 when there are none.</summary>
    public int Size => All.Count == 0 ? 0 : All[^1].Id + 1;

    public string? Text(int id) => _byId.TryGetValue(id, out AddedToken token) ? token.Content : null;

    /// <summary>The id of an added token, or -1.</summary>
    public int Find(string content) => _ids.GetValueOrDefault(content, -1);

    public bool IsSpecial(int id) => _byId.TryGetValue(id, out AddedToken token) && token.Special;
}
