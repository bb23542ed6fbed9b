namespace Serving.Glyphs.Tokens;

/// <summary>
/// Reads <c>normalizer</c>, <c>pre_tokenizer</c>, <c>post_processor</c> and <c>decoder</c> of a tokenizer file.
/// </summary>
internal static class TextPipelineReader
{
    public static TextPipeline Read(JsonPlace root, Func<int, bool> isToken)
    {
        foreach (JsonPlace step in Steps(root["normalizer"], "normalizers")) throw step.Refuse("null: text is never normalized");
        (SplitPattern? split, bool encodesBytes) = ReadPreTokenizer(root["pre_tokenizer"]);
        (int[] before, int[] after) = ReadPostProcessor(root["post_processor"], isToken);
        return new(split, encodesBytes, ReadDecoder(root["decoder"]), before, after);
    }

    private static (SplitPattern? Split, bool Bytes) ReadPreTokenizer(JsonPlace preTokenizer)
    {
        SplitPattern? split = null;
        bool bytes = false;
        foreach (JsonPlace step in Steps(preTokenizer, "pretokenizers"))
        {
            if (bytes) throw step.Refuse("nothing after ByteLevel");
            SplitPattern? pattern;
            (pattern, bytes) = Type(step) switch
            {
                "Split" => (ReadSplit(step), false),
                "ByteLevel" => (ReadByteLevel(step), true),
                _ => throw step["type"].Refuse("Split or ByteLevel"),
            };
            if (split is not null && pattern is not null) throw step.Refuse("one splitting pattern");
            split ??= pattern;
        }

        return (split, bytes);
    }

    private static SplitPattern ReadSplit(JsonPlace step)
    {
        step.RequireOnly("type", "pattern", "behavior", "invert");
        if (step["behavior"].Text() != "Isolated") throw step["behavior"].Refuse("\"Isolated\"");
        if (step["invert"].Flag(false)) throw step["invert"].Refuse("false");
        step["pattern"].RequireOnly("Regex");
        JsonPlace regex = step["pattern"]["Regex"];
        string pattern = regex.Text();
        try
        {
            return new(pattern);
        }
        catch (ArgumentException exception)
        {
            throw regex.Refuse("a pattern that .NET matches in the same way", $"{pattern} ({exception.Message})");
        }
    }

    /// <returns>The pattern that the step brings along, if it does.</returns>
    private static SplitPattern? ReadByteLevel(JsonPlace step)
    {
        step.RequireOnly("type", "add_prefix_space", "trim_offsets", "use_regex");
        if (step["add_prefix_space"].Flag(true)) throw step["add_prefix_space"].Refuse("false");
        return step["use_regex"].Flag(true) ? new(SplitPattern.Gpt2) : null;
    }

    private static (int[] Before, int[] After) ReadPostProcessor(JsonPlace postProcessor, Func<int, bool> isToken)
    {
        (int[], int[])? template = null;
        foreach (JsonPlace step in Steps(postProcessor, "processors"))
        {
            string type = Type(step);
            // The ByteLevel step moves offsets, which are not kept here; it changes no id.
            if (type == "ByteLevel") continue;
            if (type != "TemplateProcessing") throw step["type"].Refuse("TemplateProcessing or ByteLevel");
            if (template is not null) throw step.Refuse("one template");
            template = ReadTemplate(step, isToken);
        }

        return template ?? ([], []);
    }

    private static (int[] Before, int[] After) ReadTemplate(JsonPlace step, Func<int, bool> isToken)
    {
        step.RequireOnly("type", "single", "pair", "special_tokens");
        List<int> before = [], after = [];
        bool textSeen = false;
        foreach (JsonPlace part in step["single"].Items())
        {
            part.RequireOnly("SpecialToken", "Sequence");
            JsonPlace special = part["SpecialToken"];
            if (!special.IsNull)
            {
                JsonPlace token = step["special_tokens"][special["id"].Text()];
                (textSeen ? after : before).AddRange(ReadIds(token, isToken));
                continue;
            }

            if (textSeen || part["Sequence"]["id"].Text() != "A") throw part.Refuse("the text \"A\" once");
            textSeen = true;
        }

        return textSeen ? ([.. before], [.. after]) : throw step["single"].Refuse("a template with the text \"A\"");
    }

    private static IEnumerable<int> ReadIds(JsonPlace token, Func<int, bool> isToken) =>
        token["ids"].Items() is { Length: > 0 } ids
        ? ids.Select(id => isToken(id.Id()) ? id.Id() : throw id.Refuse("the id of a token"))
        : throw token["ids"].Refuse("the ids of the token");

    /// <summary>Without a decoder, or with one that has no steps, tokens are joined with nothing between them.</summary>
    /// <returns>Whether tokens spell bytes.</returns>
    private static bool ReadDecoder(JsonPlace decoder)
    {
        bool bytes = false;
        foreach ((int index, JsonPlace step) in Steps(decoder, "decoders").Index())
        {
            string type = Type(step);
            if (type != "Fuse" && !(type == "ByteLevel" && index == 0)) throw step["type"].Refuse("ByteLevel first, or Fuse");
            bytes |= type == "ByteLevel";
        }

        return bytes;
    }

    /// <summary>The steps of a Sequence, or the one step that stands in its place, or none.</summary>
    private static JsonPlace[] Steps(JsonPlace place, string list) =>
        place.IsNull ? [] : Type(place) == "Sequence" ? place[list].Items() : [place];

    private static string Type(JsonPlace step) => step["type"].Text();
}
