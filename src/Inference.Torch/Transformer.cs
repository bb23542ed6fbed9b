using Serving.Inference.Checkpoints;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>The forward pass of one expert on a device: rows in, final hidden states of the asked rows out. Nothing here waits for the
/// device.</summary>
/// <param name="model">The weights.</param>
/// <param name="kv">The K/V.</param>
internal sealed class Transformer(TorchModel model, DeviceKv kv)
{
    /// <summary>Runs a pass. The result lives in the caller's dispose scope.</summary>
    /// <returns>[asked rows, width]: what the head reads.</returns>
    public DeviceTensor Run(Step step)
    {
        (DeviceTensor cosines, DeviceTensor sines) = model.Rotary.At(step.Positions);
        if (step.FreshBlocks is not null)
            kv.Clear(step.FreshBlocks);
        DeviceTensor residual = Embed(step.Tokens);
        for (int layer = 0; layer < model.Blocks.Length; layer++)
        {
            using DisposeScope scope = torch.NewDisposeScope();
            DeviceTensor next = RunBlock(layer, residual, step, cosines, sines);
            if (!ReferenceEquals(next, residual))
                residual = next.MoveToOuterDisposeScope();
        }
        return model.FinalNorm is { } norm ? norm.Apply(residual) : residual.to_type(model.Type);
    }

    /// <summary>Logits of hidden rows, float32.</summary>
    public DeviceTensor Logits(DeviceTensor hidden) => model.Head.Apply(hidden).to_type(torch.ScalarType.Float32);

    private DeviceTensor Embed(DeviceTensor tokens)
    {
        DeviceTensor vectors = model.Table.index_select(0, tokens).to_type(torch.ScalarType.Float32);
        long times = model.Width / vectors.shape[1];
        if (times == 1)
            return vectors;
        return model.InputLift == InputLift.Tiled ? vectors.repeat(1, times) : vectors.repeat_interleave(times, 1);
    }

    private DeviceTensor RunBlock(int layer, DeviceTensor residual, Step step, DeviceTensor cosines, DeviceTensor sines)
    {
        TorchModel.Block block = model.Blocks[layer];
        bool isLast = layer == model.Blocks.Length - 1;
        DeviceTensor rows = block.QueryKeyValue.Apply(block.AttentionNorm.Apply(residual)).view(-1, 3, model.Heads, model.HeadSize);
        rows = DeviceRotary.Turn(rows, cosines, sines).to_type(model.Type);
        kv.Store(layer, step.Slots, rows.narrow(1, 1, 2));
        DeviceTensor attended = Attend(layer, rows, step, isLast);
        // What follows the last keys and values concerns only the rows that are asked for something.
        if (isLast)
            residual = Asked(residual, step);
        if (attended.shape[0] == 0)
            return residual;
        residual.add_(block.Output.Apply(attended));
        DeviceTensor hidden = Activate(block.Up.Apply(block.MlpNorm.Apply(residual)));
        return residual.add_(block.Down.Apply(hidden));
    }

    private DeviceTensor Attend(int layer, DeviceTensor rows, Step step, bool isLast)
    {
        var parts = new List<DeviceTensor>(step.Groups.Length);
        foreach (Step.Attending attending in step.Groups)
        {
            if (!isLast || attending.Group.Asked > 0)
                parts.Add(Attend(layer, rows, attending, isLast));
        }
        return parts.Count switch
        {
            0 => rows.new_empty([0, model.Width]),
            1 => parts[0],
            _ => torch.cat(parts, 0),
        };
    }

    private DeviceTensor Attend(int layer, DeviceTensor rows, Step.Attending attending, bool isLast)
    {
        AttentionGroup group = attending.Group;
        DeviceTensor own = rows.narrow(0, group.Start, group.Rows).view(group.Chunks, group.Queries, 3, model.Heads, model.HeadSize);
        DeviceTensor keyValues = attending.Tables is { } tables
            ? kv.Gather(layer, tables).view(group.Chunks, group.Keys, 2, model.Heads, model.HeadSize)
            : own.narrow(2, 1, 2);
        int queries = isLast ? group.Asked : group.Queries;
        DeviceTensor query = own.select(2, 0).narrow(1, group.Queries - queries, queries).transpose(1, 2);
        DeviceTensor key = keyValues.select(2, 0).transpose(1, 2), value = keyValues.select(2, 1).transpose(1, 2);
        DeviceTensor? mask = isLast ? attending.AskedMask : attending.Mask;
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, mask, is_casual: mask is null)
            .transpose(1, 2).reshape(-1, model.Width);
    }

    private static DeviceTensor Asked(DeviceTensor residual, Step step)
    {
        var parts = new List<DeviceTensor>(step.Groups.Length);
        foreach (Step.Attending attending in step.Groups)
        {
            AttentionGroup group = attending.Group;
            DeviceTensor rows = residual.narrow(0, group.Start, group.Rows);
            parts.Add(group.Asked == group.Queries ? rows : rows.view(group.Chunks, group.Queries, -1)
                .narrow(1, group.Queries - group.Asked, group.Asked).reshape(group.Chunks * group.Asked, residual.shape[1]));
        }
        return parts.Count == 1 ? parts[0] : torch.cat(parts, 0);
    }

    private DeviceTensor Activate(DeviceTensor hidden) => model.Activation switch
    {
        Activation.GeluTanh => hidden.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
        Activation.Silu => hidden.silu_(),
        Activation.Relu => hidden.relu_(),
        _ => hidden.gelu(),
    };
}
