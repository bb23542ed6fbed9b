using Serving.Inference.Ensembles;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The mean of experts on a device, by the formulas of <see cref="RowBlender"/>. Where all experts agree it is the first one's
/// bits.</summary>
internal static class DeviceBlend
{
    /// <summary>Every row by the blend of its chunk: [rows, vocabulary].</summary>
    /// <param name="batch">Whose chunks say how they are averaged.</param>
    /// <param name="roster">What the others are averaged by.</param>
    /// <param name="logits">Of each expert: [rows, vocabulary], on one device.</param>
    /// <exception cref="ArgumentException">A chunk's blend is of another number of experts.</exception>
    public static DeviceTensor Average(ForwardBatch batch, EnsembleRoster roster, DeviceTensor[] logits)
    {
        int experts = logits.Length, rows = (int)logits[0].shape[0], row = 0, ofProbabilities = 0;
        var weights = new float[experts * rows];
        var rules = new bool[rows];
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            Blend blend = roster.BlendOf(chunk);
            for (int end = row + chunk.LogitRows; row < end; row++)
            {
                for (int expert = 0; expert < experts; expert++)
                    weights[(expert * rows) + row] = (float)blend.Weights[expert];
                rules[row] = blend.Rule == EnsembleRule.Probabilities && experts > 1;
                ofProbabilities += rules[row] ? 1 : 0;
            }
        }
        DeviceTensor shares = torch.tensor(weights, [experts, rows, 1], device: logits[0].device);
        if (ofProbabilities == 0)
            return OfLogits(logits, shares);
        DeviceTensor mean = OfProbabilities(logits, shares);
        return ofProbabilities == rows
            ? mean
            : torch.where(torch.tensor(rules, [rows, 1], device: mean.device), mean, OfLogits(logits, shares));
    }

    private static DeviceTensor OfLogits(DeviceTensor[] logits, DeviceTensor shares)
    {
        DeviceTensor sum = logits[0].clone();
        for (int expert = 1; expert < logits.Length; expert++)
            sum.add_(logits[expert].sub(logits[0]).mul_(shares.select(0, expert)));
        return sum;
    }

    // Log-probabilities of the mixture, plus the first expert's log-sum.
    private static DeviceTensor OfProbabilities(DeviceTensor[] logits, DeviceTensor shares)
    {
        DeviceTensor firstSum = logits[0].logsumexp(1, keepdim: true);
        var terms = new List<DeviceTensor>(logits.Length);
        DeviceTensor? same = null;
        for (int expert = 0; expert < logits.Length; expert++)
        {
            DeviceTensor logSum = logits[expert].logsumexp(1, keepdim: true);
            terms.Add(logits[expert].sub(logSum).add_(shares.select(0, expert).log()));
            DeviceTensor agrees = logits[expert].eq(logits[0]).logical_and(logSum.eq(firstSum));
            same = same is null ? agrees : same.logical_and(agrees);
        }
        return torch.where(same!, logits[0], torch.stack(terms, 0).logsumexp(0).add_(firstSum));
    }
}
