using System.Security.Cryptography;
using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>A name for what a tokenizer does, the same however its file was written down.</summary>
internal static class TokenizerFingerprint
{
    /// <summary>Changes when the way content is written below changes.</summary>
    private const string Form = "serving.tokenizer.1";

    /// <returns><c>sha256:</c> and 64 lower-case hex digits.</returns>
    public static string Of(TokenizerContent content)
    {
        using MemoryStream stream = new();
        using (BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Form);
            WriteModel(writer, content.Model);
            WriteAddedTokens(writer, content.AddedTokens);
            WritePipeline(writer, content.Pipeline);
        }

        return $"sha256:{Convert.ToHexStringLower(SHA256.HashData(stream.GetBuffer().AsSpan(0, (int)stream.Length)))}";
    }

    private static void WriteModel(BinaryWriter writer, BytePairModel model)
    {
        for (int id = 0; id < model.Vocabulary.Size; id++)
        {
            if (model.Vocabulary.Text(id) is not { } text) continue;
            writer.Write(id);
            writer.Write(text);
        }

        writer.Write(-1);
        writer.Write(model.Merges.Length);
        foreach (Merge merge in model.Merges)
        {
            writer.Write(merge.Left);
            writer.Write(merge.Right);
        }

        writer.Write(model.UnknownId ?? -1);
        writer.Write(model.FuseUnknown);
        writer.Write(model.IgnoreMerges);
    }

    private static void WriteAddedTokens(BinaryWriter writer, AddedTokens tokens)
    {
        writer.Write(tokens.All.Count);
        foreach (AddedToken token in tokens.All)
        {
            writer.Write(token.Id);
            writer.Write(token.Content);
            writer.Write(token.Special);
            writer.Write(token.TakesSpaceBefore);
            writer.Write(token.TakesSpaceAfter);
            writer.Write(token.Normalized);
        }
    }

    private static void WritePipeline(BinaryWriter writer, TextPipeline pipeline)
    {
        writer.Write(pipeline.Split is not null);
        writer.Write(pipeline.Split?.Pattern ?? "");
        writer.Write(pipeline.EncodesBytes);
        writer.Write(pipeline.DecodesBytes);
        foreach (int[] ids in (ReadOnlySpan<int[]>)[pipeline.Before, pipeline.After])
        {
            writer.Write(ids.Length);
            foreach (int id in ids) writer.Write(id);
        }
    }
}
