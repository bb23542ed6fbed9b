using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Server.Models;

/// <summary>What a checkpoint is made of, kept after its files are closed.</summary>
/// <param name="Parameters">Values, learned and frozen.</param>
/// <param name="DType">Of the weights on disk.</param>
/// <param name="Pieces">The memory of the weights, the table included, each piece once.</param>
/// <param name="Table">The embedding table; null when it is computed from token bits, or when members of an ensemble differ.</param>
internal sealed record ModelFacts(long Parameters, string DType, IReadOnlyList<WeightPiece> Pieces, FrozenTable? Table)
{
    /// <summary>Memory of the weights.</summary>
    public long Bytes => Pieces.Sum(piece => piece.Bytes);

    /// <summary>The table's; takes a while when first asked for.</summary>
    public string? EmbeddingFingerprint => Table?.Fingerprint;

    public static ModelFacts Of(LoadedModel model, CpuExperts weights) => new(
        model.Parameters, model.DType, [.. weights.Pieces],
        model.Weights.TableSource == TableSource.TokenBits ? null : model.Table);

    /// <summary>What a model is made of that others compute: of its memory only the table is here.</summary>
    public static ModelFacts OfRemote(LoadedModel model) => new(
        model.Parameters, model.DType, [new WeightPiece(model.Table, model.Table.Bytes)],
        model.Weights.TableSource == TableSource.TokenBits ? null : model.Table);

    /// <summary>What an ensemble is made of: every member once, and what members share once.</summary>
    public static ModelFacts OfEnsemble(IReadOnlyList<ServedModel> members)
    {
        ModelFacts[] all = [.. members.Distinct().Select(member => member.Facts)];
        string[] types = [.. all.Select(facts => facts.DType).Distinct()];
        FrozenTable?[] tables = [.. all.Select(facts => facts.Table).Distinct()];
        long repeated = all.SelectMany(facts => facts.Tables).Sum(Values) - all.SelectMany(facts => facts.Tables).Distinct().Sum(Values);
        return new ModelFacts(all.Sum(facts => facts.Parameters) - repeated, string.Join('+', types),
            [.. all.SelectMany(facts => facts.Pieces).Distinct()], tables.Length == 1 ? tables[0] : null);
    }

    private IEnumerable<FrozenTable> Tables => Table is null ? [] : Pieces.Select(piece => piece.Memory).OfType<FrozenTable>();

    private static long Values(FrozenTable table) => table.Elements;

    /// <summary>How much of the memory others hold, too.</summary>
    public long SharedBytes(IEnumerable<ModelFacts> others)
    {
        HashSet<WeightPiece> held = [.. others.SelectMany(other => other.Pieces)];
        return Pieces.Where(held.Contains).Sum(piece => piece.Bytes);
    }
}
