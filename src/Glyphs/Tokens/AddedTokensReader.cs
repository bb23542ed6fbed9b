namespace Serving.Glyphs.Tokens;

/// <summary>Reads the <c>added_tokens</c> of a tokenizer file.</summary>
internal static class AddedTokensReader
{
    public static AddedTokens Read(JsonPlace list, Vocabulary vocabulary)
    {
        Dictionary<int, AddedToken> byId = [];
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        foreach (JsonPlace place in list.Items())
        {
            AddedToken token = ReadOne(place);
            RequireAgreement(place, token, vocabulary);
            if (!byId.TryAdd(token.Id, token)) throw place["id"].Refuse("an id of its own", $"{token.Id} a second time");
            if (!ids.TryAdd(token.Content, token.Id))
                throw place["content"].Refuse("each token once", $"'{token.Content}' a second time");
        }

        return new(byId.Values);
    }

    private static AddedToken ReadOne(JsonPlace place)
    {
        place.RequireOnly("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
        string content = place["content"].Text();
        if (content.Length == 0) throw place["content"].Refuse("a string that is not empty");
        JsonPlace wholeWords = place["single_word"];
        if (wholeWords.Flag(false)) throw wholeWords.Refuse("false: matching of whole words is not supported");
        bool special = place["special"].Flag(false);
        return new(place["id"].Id(), content, special, place["lstrip"].Flag(false), place["rstrip"].Flag(false),
            place["normalized"].Flag(!special));
    }

    private static void RequireAgreement(JsonPlace place, AddedToken token, Vocabulary vocabulary)
    {
        if (vocabulary.Text(token.Id) is { } owner && owner != token.Content)
            throw place["id"].Refuse($"an id that is free or that of '{token.Content}'", $"{token.Id}, the id of '{owner}'");
        if (vocabulary.Find(token.Content) is >= 0 and int id && id != token.Id)
            throw place["id"].Refuse($"{id}, the id of '{token.Content}' in the vocabulary");
    }
}
