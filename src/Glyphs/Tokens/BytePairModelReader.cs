using System.Text.Json;

namespace Serving.Glyphs.Tokens;

/// <summary>Reads the <c>model</c> object of a tokenizer file.</summary>
internal static class BytePairModelReader
{
    public static BytePairModel Read(JsonPlace model)
    {
        model.RequireOnly("type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
            "byte_fallback", "ignore_merges", "vocab", "merges");
        RefuseUnsupported(model);
        Vocabulary vocabulary = ReadVocabulary(model["vocab"]);
        return new(vocabulary, new MergesReader(model["merges"], vocabulary).Read(), ReadUnknown(model["unk_token"], vocabulary),
            model["fuse_unk"].Flag(false), model["ignore_merges"].Flag(false));
    }

    private static void RefuseUnsupported(JsonPlace model)
    {
        JsonPlace type = model["type"], dropout = model["dropout"], fallback = model["byte_fallback"];
        if (!type.IsNull && type.Text() != "BPE") throw type.Refuse("\"BPE\"");
        if (!dropout.IsNull && !(dropout.Value.ValueKind == JsonValueKind.Number && dropout.Value.GetDouble() == 0))
            throw dropout.Refuse("null or 0, so that a text always has the same tokens");
        if (fallback.Flag(false)) throw fallback.Refuse("false: bytes as <0xNN> tokens are not supported");
        foreach (string key in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (!model[key].IsNull && model[key].Text().Length > 0) throw model[key].Refuse("null or \"\"");
    }

    private static Vocabulary ReadVocabulary(JsonPlace vocab)
    {
        vocab.Require(JsonValueKind.Object, "an object of tokens and their ids");
        Vocabulary vocabulary = new(vocab.Value.GetPropertyCount());
        foreach (JsonProperty property in vocab.Value.EnumerateObject())
        {
            string text = vocab.NameOf(property);
            int id = JsonPlace.IsId(property.Value, out int read) ? read : vocab[text].Id();
            if (vocabulary.Text(id) is { } owner) throw vocab[text].Refuse("an id of its own", $"{id}, the id of '{owner}'");
            if (!vocabulary.TryAdd(text, id)) throw vocab[text].Refuse("each token once", "a second one");
        }

        return vocabulary.Size > 0 ? vocabulary : throw vocab.Refuse("at least one token");
    }

    private static int? ReadUnknown(JsonPlace token, Vocabulary vocabulary)
    {
        if (token.IsNull) return null;
        int id = vocabulary.Find(token.Text());
        return id >= 0 ? id : throw token.Refuse("a token of the vocabulary");
    }
}
