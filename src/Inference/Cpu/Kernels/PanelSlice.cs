namespace Serving.Inference.Cpu.Kernels;

/// <summary>The weights between some inputs and the 64 outputs of a panel.</summary>
internal readonly unsafe struct PanelSlice(byte* weights, byte* scales, int inputs, WeightFormat format, byte* next = null, bool halfOfNext = false)
{
    /// <summary>Those of the first input.</summary>
    public byte* Weights { get; } = weights;

    /// <summary>[groups of <see cref="PanelInt8.GroupInputs"/> inputs, 64 bf16 paired as in <see cref="PanelBf16"/>], the first
    /// input's group first; null where weights have none.</summary>
    public byte* Scales { get; } = scales;

    /// <summary>How many.</summary>
    public int Inputs { get; } = inputs;

    /// <summary>How the weights are stored.</summary>
    public WeightFormat Format { get; } = format;

    /// <summary>What will be multiplied after this, to be brought near meanwhile; null = the slice itself comes from far away.</summary>
    public byte* Next { get; } = next;

    /// <summary>Whether a pass asks for no more than half of what is next.</summary>
    public bool HalfOfNext { get; } = halfOfNext;

    /// <summary>The same slice, near by now, in a pass that asks for a half of what comes next; for all of it with weights of bytes,
    /// which are multiplied faster than that.</summary>
    public PanelSlice Before(byte* next, int half) => Format == WeightFormat.Int8
        ? new(Weights, Scales, Inputs, Format, next)
        : new(Weights, Scales, Inputs, Format, next + (half * (long)Inputs * KernelSet.PanelOutputs * (Format == WeightFormat.F32 ? 4 : 2) / 2), halfOfNext: true);
}
