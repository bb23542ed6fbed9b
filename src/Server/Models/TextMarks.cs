using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;

namespace Serving.Server.Models;

/// <summary>The control tokens around a model's texts, by their spelling; null where it has none.</summary>
/// <param name="Begin">Begins a text, as <c>&lt;s&gt;</c>.</param>
/// <param name="End">Ends a text, as <c>&lt;/s&gt;</c>.</param>
/// <param name="Pad">Stands where there is no token.</param>
/// <param name="BeginId">The id of <paramref name="Begin"/>.</param>
internal sealed record TextMarks(string? Begin, string? End, string? Pad, int? BeginId)
{
    private static readonly string[] UsualBegins = ["<s>", "<|endoftext|>"];
    private static readonly string[] UsualEnds = ["</s>", "<|endoftext|>"];
    private static readonly string[] UsualPads = ["<pad>"];

    /// <summary>What the configuration names, or else what models of this family use, as far as the tokenizer knows it.</summary>
    public static TextMarks Of(ModelConfig config, Tokenizer tokenizer)
    {
        string? begin = Known(config.BeginToken, UsualBegins, tokenizer);
        return new TextMarks(begin, Known(config.EndToken, UsualEnds, tokenizer), Known(config.PadToken, UsualPads, tokenizer),
            begin is null ? null : tokenizer.FindId(begin));
    }

    private static string? Known(string? named, string[] usual, Tokenizer tokenizer) =>
        (named is null ? usual : [named]).FirstOrDefault(token => tokenizer.FindId(token) is not null);
}
