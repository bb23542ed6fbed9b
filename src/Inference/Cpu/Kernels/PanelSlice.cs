namespace Serving.Inference.Cpu.Kernels;

/// <summary>The weights between some inputs and the 64 outputs of a panel.</summary>
internal readonly unsafe struct PanelSlice(byte* weights, byte* scales, int inputs, WeightFormat format, byte* next = null)
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

    /// <summary>The same slice, brought near by now.</summary>
    public PanelSlice Before(byte* next) => new(Weights, Scales, Inputs, Format, next);
}
