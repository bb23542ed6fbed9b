using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>A norm's weight and bias, zero-filled to whole lanes.</summary>
internal sealed unsafe class PackedNorm : IDisposable
{
    private readonly NativeBuffer _values;
    private readonly NormKind _kind;
    private readonly int _width;

    /// <param name="weights">The norm's tensors.</param>
    /// <param name="kind">How it normalises.</param>
    public PackedNorm(NormWeights weights, NormKind kind)
    {
        (_kind, _width) = (kind, (int)weights.Weight.Elements);
        _values = NativeBuffer.OfFloats(2 * Lanes.RoundUp(_width));
        new Span<float>(_values.Floats, 2 * Lanes.RoundUp(_width)).Clear();
        weights.Weight.ReadFloats(0, new Span<float>(Weight, _width));
        weights.Bias?.ReadFloats(0, new Span<float>(Bias, _width));
    }

    private float* Weight => _values.Floats;

    private float* Bias => _values.Floats + Lanes.RoundUp(_width);

    /// <summary>Normalises a row; both rows reach to whole lanes.</summary>
    public void Apply(KernelSet kernels, float* x, float* target)
    {
        if (_kind == NormKind.Layer)
            kernels.LayerNorm(x, Weight, Bias, target, _width);
        else
            kernels.RmsNorm(x, Weight, target, _width);
    }

    public void Dispose() => _values.Dispose();
}
