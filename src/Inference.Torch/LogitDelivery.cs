using Serving.Inference.Sampling;

namespace Serving.Inference.Torch;

/// <summary>Brings home what a pass was for: tokens of the rows that are picked where they are, and the others whole. What comes, comes
/// in one piece, so that the process waits for the device once.</summary>
/// <param name="memory">The process's side.</param>
/// <param name="vocabulary">Logits a row.</param>
internal sealed class LogitDelivery(StepMemory memory, int vocabulary)
{
    private readonly List<int> _whole = [];
    private readonly DevicePicker _picker = new();

    /// <param name="rows">[rows, vocabulary] on the device.</param>
    /// <param name="picks">[rows], or empty: all are wanted whole.</param>
    /// <param name="tokens">[rows]: takes the picked tokens, -1 where a row has no finite maximum.</param>
    /// <param name="logits">[rows, vocabulary]: takes the others.</param>
    public void Deliver(DeviceTensor rows, ReadOnlySpan<TokenPick> picks, Span<int> tokens, Span<float> logits)
    {
        _whole.Clear();
        for (int row = 0; row < rows.shape[0]; row++)
        {
            if (picks.IsEmpty || !picks[row].IsWanted)
                _whole.Add(row);
        }
        if (_whole.Count == rows.shape[0])
            memory.Bring(rows).CopyTo(logits);
        else
            DeliverBoth(rows, picks, tokens, logits);
    }

    private void DeliverBoth(DeviceTensor rows, ReadOnlySpan<TokenPick> picks, Span<int> tokens, Span<float> logits)
    {
        // float32 holds every id exactly: vocabularies end at 2^24.
        DeviceTensor picked = _picker.Pick(rows, picks).to_type(TorchSharp.torch.ScalarType.Float32);
        ReadOnlySpan<float> come = memory.Bring(_whole.Count == 0
            ? picked
            : TorchSharp.torch.cat([picked, rows.index_select(0, DevicePicker.Indices(_whole, rows)).view(-1)], 0));
        int count = picks.Length - _whole.Count, next = 0;
        for (int row = 0; row < picks.Length; row++)
        {
            if (picks[row].IsWanted)
                tokens[row] = (int)come[next++];
        }
        for (int i = 0; i < _whole.Count; i++)
            come.Slice(count + (i * vocabulary), vocabulary).CopyTo(logits[(_whole[i] * vocabulary)..]);
    }
}
