using System.Text.Json.Serialization;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Server.CommandLine;

/// <summary>What <c>inspect</c> tells of a model folder. The sections but for the tensors are null if the model cannot be
/// loaded.</summary>
internal sealed record Inspection
{

    public required string Path { get; init; }

    public ArchitectureFacts? Architecture { get; init; }

    public required CheckpointContents Tensors { get; init; }

    public TableFacts? Table { get; init; }

    public TokenizerFacts? Tokenizer { get; init; }

    public MemoryFacts? Memory { get; init; }

    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Sizes and kinds.</summary>
    internal sealed record ArchitectureFacts(
        int Layers, int Width, int Heads, int HeadSize, int MlpWidth, int VocabularySize, int ContextTokens, NormKind Norm,
        float NormEpsilon, bool HasFinalNorm, Activation Activation, RopePairing RopePairing, int Experts,
        [property: JsonPropertyName("dtype")] string DType, long Parameters);

    /// <summary>The input vectors. <paramref name="File"/> is null when they are computed from the token id, <paramref name="Lift"/> when
    /// they are as wide as the model.</summary>
    internal sealed record TableFacts(
        TableSource Source, TableKind Kind, bool IsFrozen, bool IsTokenId, int Rows, int Dimensions, string Fingerprint, string? File,
        string? Recipe, bool IsMapped, InputLift? Lift);

    /// <summary>The tokenizer.</summary>
    internal sealed record TokenizerFacts(string Kind, int VocabularySize, string Fingerprint, string File, string? EndToken, int? EndTokenId);

    /// <summary>Bytes. The default is enough K/V for eight sequences that fill the context.</summary>
    internal sealed record MemoryFacts(long Disk, long Weights, long KvBlock, int KvBlockTokens, long KvSequence, long KvDefault);

    /// <summary>Looks at a model that can be loaded.</summary>
    public static Inspection Of(CheckpointContents tensors, LoadedModel model)
    {
        Tokenizer tokenizer = Glyphs.Tokens.Tokenizer.Load(model.TokenizerPath);
        TokenizerFacts words = TokenizerOf(model, tokenizer);
        return new Inspection
        {
            Path = model.Path,
            Architecture = ArchitectureOf(model),
            Tensors = tensors,
            Table = TableOf(tensors, model, tokenizer),
            Tokenizer = words,
            Memory = MemoryOf(model),
            Notes = [.. model.Experts.SelectMany(expert => expert.Notes).Distinct(), .. Oddities(model, words)],
        };
    }

    private static ArchitectureFacts ArchitectureOf(LoadedModel model)
    {
        TransformerWeights weights = model.Weights;
        return new(weights.Blocks.Count, weights.Width, weights.Heads, weights.HeadSize, weights.HiddenWidth, weights.VocabularySize,
            weights.ContextTokens, weights.Norm, weights.NormEpsilon, weights.FinalNorm is not null, weights.Activation,
            weights.RopePairing, model.Experts.Count, model.DType, model.Parameters);
    }

    private static TableFacts TableOf(CheckpointContents tensors, LoadedModel model, Tokenizer tokenizer)
    {
        TableOrigin origin = model.Weights.TableSource == TableSource.TokenBits
            ? TableOrigin.None
            : TableRecognition.Of(model.Table, tokenizer.Spellings());
        string? file = model.Weights.TableSource switch
        {
            TableSource.Substrate => System.IO.Path.GetRelativePath(model.Path, model.Substrate!.Path),
            TableSource.Checkpoint => tensors.TableFile is { } path ? System.IO.Path.GetFileName(path) : null,
            _ => null,
        };
        return new(model.Weights.TableSource, origin.Kind, origin.IsFrozen, origin.IsTokenId, model.Table.Rows, model.Table.Dimensions,
            model.Table.Fingerprint, file, origin.Recipe ?? model.Substrate?.Recipe,
            model.Weights.TableSource == TableSource.TokenBits && (model.Weights.TokenCode is not null || model.Config.Code is not null),
            model.Table.Dimensions < model.Weights.Width ? model.Weights.InputLift : null);
    }

    private static TokenizerFacts TokenizerOf(LoadedModel model, Tokenizer tokenizer)
    {
        string kind = tokenizer.SpellsBytes ? "byte-pair encoding of bytes" : "byte-pair encoding of code points";
        string? end = model.Config.EndToken;
        return new(kind, tokenizer.VocabularySize, tokenizer.Fingerprint,
            System.IO.Path.GetRelativePath(model.Path, model.TokenizerPath), end, end is null ? null : tokenizer.FindId(end));
    }

    private static MemoryFacts MemoryOf(LoadedModel model)
    {
        CpuMemory memory = CpuMemory.Of(model.Experts);
        long sequence = memory.BlockBytes * memory.BlocksPerSequence;
        return new(model.Bytes, memory.WeightBytes, memory.BlockBytes, CpuMemory.BlockTokens, sequence, CpuMemory.DefaultBlocks(model.Weights.ContextTokens) * memory.BlockBytes);
    }

    private static IEnumerable<string> Oddities(LoadedModel model, TokenizerFacts words)
    {
        int rows = model.Weights.VocabularySize;
        if (words.VocabularySize > rows)
            yield return $"The tokenizer has {words.VocabularySize} tokens, the model {rows}: it cannot be served with this tokenizer.";
        if (words.VocabularySize < rows)
            yield return $"The model has {rows} tokens, the tokenizer {words.VocabularySize}: the rest cannot be written.";
        if (words.EndToken is not null && words.EndTokenId is null)
            yield return $"The tokenizer has no token '{words.EndToken}', config.json's eos_token: no token ends a text.";
    }
}
