using System.Text.RegularExpressions;

namespace Serving.Inference.Checkpoints;

/// <summary>What a checkpoint's tensors are for, judged by their names alone: it can be told of a checkpoint that cannot be
/// loaded, too.</summary>
public sealed partial record CheckpointContents
{
    private static readonly TensorRole[] InEveryBlock =
    [
        TensorRole.AttentionNorm, TensorRole.AttentionOutput, TensorRole.MlpNorm, TensorRole.Up, TensorRole.Down,
    ];

    private static readonly TensorRole[] Attention = [TensorRole.Query, TensorRole.Key, TensorRole.Value];

    /// <summary>The tensors, grouped by role, type and shape; in the order of a forward pass.</summary>
    public required IReadOnlyList<TensorGroup> Groups { get; init; }

    /// <summary>What marks the experts in the names of a checkpoint of several; empty = it holds one model.</summary>
    public required IReadOnlyList<string> Experts { get; init; }

    /// <summary>Names of buffers that are computed instead.</summary>
    public required IReadOnlyList<string> Unused { get; init; }

    /// <summary>Names that say nothing of a role.</summary>
    public required IReadOnlyList<string> Unknown { get; init; }

    /// <summary>What is not there but has to be, or is there in other blocks: names where they follow from those of other
    /// blocks, else words.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>The file of the embedding table; null = no tensor is one.</summary>
    public string? TableFile { get; init; }

    /// <summary>Sorts tensors by role.</summary>
    public static CheckpointContents Of(IEnumerable<Tensor> tensors)
    {
        IReadOnlyList<CheckpointExpert> experts = CheckpointExpert.Of(tensors, out IReadOnlyList<Tensor> unknown);
        (TensorKey Key, Tensor Tensor)[] all = [.. experts.SelectMany(expert => expert.Tensors).DistinctBy(item => item.Tensor.Name)];
        (TensorKey Key, Tensor Tensor)[] known = [.. all.Where(item => item.Key.Role != TensorRole.Buffer)];
        return new CheckpointContents
        {
            Groups = [.. GroupsOf(known)],
            Experts = [.. experts.Select(expert => expert.Name).Where(name => name.Length > 0)],
            Unused = [.. all.Where(item => item.Key.Role == TensorRole.Buffer).Select(item => item.Tensor.Name)],
            Unknown = [.. unknown.Select(tensor => tensor.Name)],
            Missing = [.. experts.SelectMany(expert => MissingFrom([.. expert.Tensors]).Select(name => Named(expert, name)))],
            TableFile = known.FirstOrDefault(item => item.Key.Role == TensorRole.Embedding).Tensor?.Path,
        };
    }

    private static string Named(CheckpointExpert expert, string missing) =>
        expert.Name.Length == 0 || missing.Contains(expert.Name, StringComparison.Ordinal) ? missing : $"{expert.Name}: {missing}";

    private static IEnumerable<TensorGroup> GroupsOf((TensorKey Key, Tensor Tensor)[] known) =>
        from item in known
        orderby item.Key.Role, item.Key.IsBias, item.Key.IsScale, item.Key.Layer
        group item by (item.Key.Role, item.Key.IsBias, item.Key.IsScale, item.Tensor.DType, Shape: string.Join(',', item.Tensor.Shape)) into same
        let first = same.First().Tensor
        select new TensorGroup(InWords(same.Key.Role, same.Key.IsBias) + (same.Key.IsScale ? " scales" : ""), first.DType, first.Shape, same.Count(), first.Name);

    private static IEnumerable<string> MissingFrom((TensorKey Key, Tensor Tensor)[] known)
    {
        HashSet<TensorKey> there = [.. known.Select(item => item.Key)];
        if (!there.Contains(new TensorKey(TensorRole.Head)))
            yield return InWords(TensorRole.Head, isBias: false);
        int layers = there.Select(key => key.Layer + 1).DefaultIfEmpty().Max();
        ILookup<(TensorRole, bool), string> names = known.Where(item => item.Key is { Layer: >= 0, IsScale: false })
            .ToLookup(item => (item.Key.Role, item.Key.IsBias), item => item.Tensor.Name);
        bool isFused = names.Contains((TensorRole.FusedQueryKeyValue, false));
        IEnumerable<(TensorRole, bool)> required = InEveryBlock.Concat(isFused ? [] : Attention).Select(role => (role, false));
        foreach ((TensorRole role, bool isBias) in required.Union(names.Select(name => name.Key)))
        {
            for (int layer = 0; layer < layers; layer++)
            {
                if (!there.Contains(new TensorKey(role, layer, isBias)))
                    yield return NameIn(layer, names[(role, isBias)].FirstOrDefault()) ?? $"{InWords(role, isBias)} of block {layer}";
            }
        }
    }

    private static string? NameIn(int layer, string? elsewhere) =>
        elsewhere is null ? null : BlockIndex().Replace(elsewhere, $".{layer}.");

    private static string InWords(TensorRole role, bool isBias)
    {
        string words = Capital().Replace($"{role}", " $0").ToLowerInvariant().Replace("mlp", "MLP", StringComparison.Ordinal);
        return words.Trim() + (isBias ? " bias" : "");
    }

    [GeneratedRegex(@"(?<=(transformer_layers|layers|blocks|h|transformer)(_\d+)?)\.\d+\.")]
    private static partial Regex BlockIndex();

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Capital();
}
