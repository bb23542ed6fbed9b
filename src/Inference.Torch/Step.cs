using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The indices of one forward pass on a device. Its tensors live until the pass's dispose scope ends.</summary>
internal sealed class Step
{
    private readonly Attending[] _groups;

    private Step(BatchLayout layout, DeviceTensor indices, Accelerator accelerator)
    {
        int rows = layout.Rows, next = 0;
        (Tokens, Positions, Slots) = (Take(rows), Take(rows), Take(rows));
        FreshBlocks = layout.FreshBlocks == 0 ? null : Take(layout.FreshBlocks);
        LogitRows = Take(layout.LogitRows);
        _groups = new Attending[layout.Groups.Length];
        for (int i = 0; i < _groups.Length; i++)
        {
            AttentionGroup group = layout.Groups[i];
            DeviceTensor? tables = group.Blocks == 0 ? null : Take(group.Chunks * group.Blocks);
            _groups[i] = new Attending(group, tables, Positions, accelerator);
        }

        DeviceTensor Take(int count) => indices.narrow(0, (next += count) - count, count);
    }

    /// <summary>[rows].</summary>
    public DeviceTensor Tokens { get; }

    /// <summary>[rows].</summary>
    public DeviceTensor Positions { get; }

    /// <summary>[rows]: where keys and values go.</summary>
    public DeviceTensor Slots { get; }

    /// <summary>Blocks whose earlier content must go; null = none.</summary>
    public DeviceTensor? FreshBlocks { get; }

    /// <summary>[rows that want logits]: where they stand among those asked.</summary>
    public DeviceTensor LogitRows { get; }

    /// <summary>Who attends together.</summary>
    public ReadOnlySpan<Attending> Groups => _groups;

    /// <summary>Brings a batch's indices to a device, through memory that is free again when the pass has ended.</summary>
    public static Step Of(BatchLayout layout, StepMemory memory, Accelerator accelerator)
    {
        DeviceTensor indices = memory.Fill(layout.Indices);
        return new Step(layout, accelerator.IsHost ? indices : indices.to(accelerator.Place, non_blocking: true), accelerator);
    }

    /// <summary>Chunks that attend in one call.</summary>
    internal sealed class Attending
    {
        public Attending(AttentionGroup group, DeviceTensor? tables, DeviceTensor positions, Accelerator accelerator)
        {
            (Group, Tables) = (group, tables);
            if (group.Blocks == 0 && group.Asked == 0)
                return;
            using DeviceTensor keys = torch.arange(group.Keys, torch.ScalarType.Int64, accelerator.Place);
            DeviceTensor queries = positions.narrow(0, group.Start, group.Rows).view(group.Chunks, 1, group.Queries, 1);
            // A prompt that looks at itself alone needs no mask, but where only some of it is asked, libtorch would align it wrongly.
            Mask = group.Blocks == 0 ? null : keys.le(queries);
            AskedMask = group.Asked == group.Queries ? Mask : keys.le(queries.narrow(2, group.Queries - group.Asked, group.Asked));
        }

        public AttentionGroup Group { get; }

        /// <summary>[chunks · blocks]; null = they look at themselves alone.</summary>
        public DeviceTensor? Tables { get; }

        /// <summary>[chunks, 1, queries, keys]; null = causal.</summary>
        public DeviceTensor? Mask { get; }

        /// <summary>[chunks, 1, asked, keys]; null = causal.</summary>
        public DeviceTensor? AskedMask { get; }
    }
}
