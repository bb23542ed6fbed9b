namespace Serving.Inference.Checkpoints;

/// <summary>One of the complete models in a checkpoint, which mostly holds just one.</summary>
/// <param name="Name">What marks it in the names of its tensors; empty = nothing does.</param>
/// <param name="Tensors">Its tensors, in the order of their names; those outside of blocks may be other experts', too.</param>
internal sealed record CheckpointExpert(string Name, IReadOnlyList<(TensorKey Key, Tensor Tensor)> Tensors)
{
    /// <summary>Sorts the tensors of a checkpoint by expert. Whoever has blocks is one; what stands outside of blocks without
    /// the mark of an expert, such as a table that is stored once, belongs to all that have none of their own.</summary>
    /// <param name="tensors">All tensors.</param>
    /// <param name="unknown">Those whose names say nothing.</param>
    /// <returns>At least one, by name.</returns>
    public static IReadOnlyList<CheckpointExpert> Of(IEnumerable<Tensor> tensors, out IReadOnlyList<Tensor> unknown)
    {
        var placed = new List<(TensorPlace Place, Tensor Tensor)>();
        var others = new List<Tensor>();
        foreach (Tensor tensor in tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            if (TensorNames.Place(tensor.Name) is { } place)
                placed.Add((place, tensor));
            else
                others.Add(tensor);
        }

        string[] names = [.. placed.Where(item => item.Place.Key.Layer >= 0).Select(item => item.Place.Expert).Distinct()
            .OrderBy(name => name.Length).ThenBy(name => name, StringComparer.Ordinal).DefaultIfEmpty("")];
        others.AddRange(placed.Where(item => item.Place.Expert.Length > 0 && !names.Contains(item.Place.Expert)).Select(item => item.Tensor));
        unknown = others;
        return [.. names.Select(name => new CheckpointExpert(name, [.. Own(placed, name)]))];
    }

    private static IEnumerable<(TensorKey Key, Tensor Tensor)> Own(List<(TensorPlace Place, Tensor Tensor)> placed, string name)
    {
        HashSet<TensorRole> roles = [.. placed.Where(item => item.Place.Expert == name).Select(item => item.Place.Key.Role)];
        return placed.Where(item => item.Place.Expert == name || IsSharedWithIt(item.Place)).Select(item => (item.Place.Key, item.Tensor));

        bool IsSharedWithIt(TensorPlace place) => place is { Expert: "", Key.Layer: < 0 } && !roles.Contains(place.Key.Role);
    }
}
