using System.Runtime.InteropServices;
using Serving.Inference.Sampling;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>
/// Picks tokens on the device by the rules of <see cref="Sampler"/>: the same token for the same row, draw and options, but where the
/// draw falls within rounding of a border between two. Not thread-safe.
/// </summary>
internal sealed class DevicePicker
{
    private readonly List<int> _greedy = [];
    private readonly List<int> _plain = [];
    private readonly List<int> _ranked = [];
    private readonly List<double> _numbers = [];

    /// <summary>The tokens of the wanted rows, in their order; -1 where a row has no finite maximum.</summary>
    public DeviceTensor Pick(DeviceTensor rows, ReadOnlySpan<TokenPick> picks)
    {
        Sort(picks);
        var tokens = new List<DeviceTensor>(3);
        if (_greedy.Count > 0)
            tokens.Add(First(Rows(rows, _greedy)));
        if (_plain.Count > 0)
            tokens.Add(FromAll(Rows(rows, _plain), Numbers(_plain, picks, rows)));
        if (_ranked.Count > 0)
            tokens.Add(FromBest(Rows(rows, _ranked), Numbers(_ranked, picks, rows)));
        return tokens.Count == 1 ? tokens[0] : InOrder(torch.cat(tokens, 0), rows);
    }

    /// <summary>Indices on the device of some rows.</summary>
    public static DeviceTensor Indices(List<int> indices, DeviceTensor beside) =>
        torch.tensor([.. indices.Select(index => (long)index)], device: beside.device);

    private void Sort(ReadOnlySpan<TokenPick> picks)
    {
        _greedy.Clear();
        _plain.Clear();
        _ranked.Clear();
        for (int row = 0; row < picks.Length; row++)
        {
            if (!picks[row].IsWanted)
                continue;
            SamplingOptions options = picks[row].Options;
            List<int> kind = options.Temperature == 0 || options.TopK == 1 ? _greedy
                : options is { TopP: >= 1, TopK: 0 } ? _plain : _ranked;
            kind.Add(row);
        }
    }

    private static DeviceTensor Rows(DeviceTensor rows, List<int> wanted) =>
        wanted.Count == rows.shape[0] ? rows : rows.index_select(0, Indices(wanted, rows));

    private DeviceTensor InOrder(DeviceTensor tokens, DeviceTensor rows)
    {
        List<int> order = [.. _greedy, .. _plain, .. _ranked];
        List<int> sorted = [.. order.Order()];
        return tokens.index_select(0, Indices([.. sorted.Select(row => order.IndexOf(row))], rows));
    }

    // [rows, 5], float64: temperature, draw, the lightest weight, the most tokens, the share that they must reach.
    private DeviceTensor Numbers(List<int> wanted, ReadOnlySpan<TokenPick> picks, DeviceTensor rows)
    {
        _numbers.Clear();
        foreach (int row in wanted)
        {
            SamplingOptions options = picks[row].Options;
            _numbers.AddRange([options.Temperature, picks[row].Draw, options.MinP, options.TopK == 0 ? rows.shape[1] : options.TopK, options.TopP]);
        }
        return torch.tensor(CollectionsMarshal.AsSpan(_numbers).ToArray(), [wanted.Count, 5], device: rows.device);
    }

    // The lowest id of the largest logit.
    private static DeviceTensor First(DeviceTensor rows)
    {
        DeviceTensor max = rows.amax([1], keepdim: true);
        DeviceTensor ids = torch.arange(rows.shape[1], torch.ScalarType.Int64, rows.device);
        DeviceTensor first = torch.where(rows.eq(max), ids, torch.full_like(ids, rows.shape[1])).amin([1]);
        return OnlyFinite(first, max);
    }

    private static DeviceTensor FromAll(DeviceTensor rows, DeviceTensor numbers)
    {
        (DeviceTensor weights, DeviceTensor max) = Weigh(rows, numbers);
        return OnlyFinite(Draw(weights.mul_(weights.ge(numbers.narrow(1, 2, 1))), numbers), max);
    }

    private static DeviceTensor FromBest(DeviceTensor rows, DeviceTensor numbers)
    {
        (DeviceTensor weights, DeviceTensor max) = Weigh(rows, numbers);
        (_, DeviceTensor ids) = rows.sort(1, descending: true, stable: true);
        DeviceTensor ranked = weights.gather(1, ids);
        DeviceTensor ranks = torch.arange(rows.shape[1], torch.ScalarType.Float64, rows.device);
        ranked = ranked.mul(ranked.ge(numbers.narrow(1, 2, 1))).mul_(ranks.lt(numbers.narrow(1, 3, 1)));
        DeviceTensor share = numbers.narrow(1, 4, 1), sums = Sums(ranked);
        DeviceTensor isNeeded = sums.sub(ranked).lt(share.mul(ranked.sum(1, keepdim: true))).logical_or(share.ge(1));
        DeviceTensor place = Draw(ranked.mul(isNeeded), numbers);
        return OnlyFinite(ids.gather(1, place.unsqueeze(1)).squeeze(1), max);
    }

    private static (DeviceTensor Weights, DeviceTensor Max) Weigh(DeviceTensor rows, DeviceTensor numbers)
    {
        DeviceTensor max = rows.amax([1], keepdim: true);
        return (rows.sub(max).to_type(torch.ScalarType.Float64).div_(numbers.narrow(1, 0, 1)).exp_(), max);
    }

    // How many running sums do not pass the draw; the last token with a weight where rounding leaves it short of the end.
    private static DeviceTensor Draw(DeviceTensor weights, DeviceTensor numbers)
    {
        DeviceTensor sums = Sums(weights), end = sums.narrow(1, sums.shape[1] - 1, 1);
        DeviceTensor place = sums.le(numbers.narrow(1, 1, 1).mul(end)).sum(1);
        DeviceTensor last = sums.lt(end).sum(1);
        return place.minimum(last);
    }

    // libtorch's scan of one row alone may add in another order each time on a GPU; of two rows it does not.
    private static DeviceTensor Sums(DeviceTensor weights) =>
        weights.shape[0] > 1 ? weights.cumsum(1) : weights.expand([2, -1]).cumsum(1).narrow(0, 0, 1);

    private static DeviceTensor OnlyFinite(DeviceTensor tokens, DeviceTensor max) =>
        torch.where(max.squeeze(1).isfinite(), tokens, torch.full_like(tokens, -1));
}
