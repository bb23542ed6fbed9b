using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;

namespace Serving.Server.Models;

/// <summary>What a checkpoint is made of, kept after its files are closed.</summary>
/// <param name="Parameters">Values, learned and frozen.</param>
/// <param name="DType">Of the weights on disk.</param>
/// <param name="Pieces">The memory of the weights, the table included, each piece once.</param>
/// <param name="EmbeddingFingerprint">Of the embedding table; null when it is computed from token bits.</param>
internal sealed record ModelFacts(long Parameters, string DType, IReadOnlyList<WeightPiece> Pieces, string? EmbeddingFingerprint)
{
    /// <summary>Memory of the weights.</summary>
    public long Bytes => Pieces.Sum(piece => piece.Bytes);

    public static ModelFacts Of(LoadedModel model, IExperts weights) => new(
        model.Parameters, model.DType, [.. weights.Pieces],
        model.Weights.TableSource == TableSource.TokenBits ? null : model.Table.Fingerprint);

    /// <summary>What a model is made of that others compute: of its memory only the table is here.</summary>
    public static ModelFacts OfRemote(LoadedModel model) => new(
        model.Parameters, model.DType, [new WeightPiece(model.Table, model.Table.Values.Length * (long)sizeof(float))],
        model.Weights.TableSource == TableSource.TokenBits ? null : model.Table.Fingerprint);

    /// <summary>What an ensemble is made of: every member once, and what members share once.</summary>
    public static ModelFacts OfEnsemble(IReadOnlyList<ServedModel> members)
    {
        ModelFacts[] all = [.. members.Distinct().Select(member => member.Facts)];
        string[] types = [.. all.Select(facts => facts.DType).Distinct()];
        string?[] tables = [.. all.Select(facts => facts.EmbeddingFingerprint).Distinct()];
        long repeated = all.SelectMany(facts => facts.Tables).Sum(Values) - all.SelectMany(facts => facts.Tables).Distinct().Sum(Values);
        return new ModelFacts(all.Sum(facts => facts.Parameters) - repeated, string.Join('+', types),
            [.. all.SelectMany(facts => facts.Pieces).Distinct()], tables.Length == 1 ? tables[0] : null);
    }

    private IEnumerable<FrozenTable> Tables => EmbeddingFingerprint is null ? [] : Pieces.Select(piece => piece.Memory).OfType<FrozenTable>();

    private static long Values(FrozenTable table) => table.Values.Length;

    /// <summary>How much of the memory others hold, too.</summary>
    public long SharedBytes(IEnumerable<ModelFacts> others)
    {
        HashSet<WeightPiece> held = [.. others.SelectMany(other => other.Pieces)];
        return Pieces.Where(held.Contains).Sum(piece => piece.Bytes);
    }
}
