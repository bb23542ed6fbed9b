using Serving.Inference.Checkpoints;

namespace Serving.Server.Models;

/// <summary>What a checkpoint is made of, kept after its files are closed.</summary>
/// <param name="Parameters">Values, learned and frozen.</param>
/// <param name="DType">Of the weights on disk.</param>
/// <param name="Bytes">Of all values on disk, the table included.</param>
/// <param name="TableBytes">Of the embedding table.</param>
/// <param name="EmbeddingFingerprint">Of the embedding table; null when it is computed from token bits.</param>
internal sealed record ModelFacts(long Parameters, string DType, long Bytes, long TableBytes, string? EmbeddingFingerprint)
{
    public static ModelFacts Of(LoadedModel model) => new(
        model.Parameters, model.DType, model.Bytes, model.SharedBytes,
        model.Weights.TableSource == TableSource.TokenBits ? null : model.Table.Fingerprint);

    /// <summary>What an ensemble is made of: every member once, and every table once.</summary>
    public static ModelFacts OfEnsemble(IReadOnlyList<ServedModel> members)
    {
        ModelFacts[] all = [.. members.Distinct().Select(member => member.Facts)];
        ModelFacts[] tables = [.. all.DistinctBy(facts => facts.EmbeddingFingerprint)];
        long tableBytes = tables.Sum(facts => facts.TableBytes);
        long repeatedBytes = all.Sum(facts => facts.TableBytes) - tableBytes;
        string[] types = [.. all.Select(facts => facts.DType).Distinct()];
        return new ModelFacts(all.Sum(facts => facts.Parameters) - (repeatedBytes / sizeof(float)), string.Join('+', types),
            all.Sum(facts => facts.Bytes) - repeatedBytes, tableBytes, tables.Length == 1 ? tables[0].EmbeddingFingerprint : null);
    }
}
