using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>A norm's weight and bias, zero-filled to whole lanes.</summary>
internal sealed unsafe class PackedNorm : IDisposable
{
    private readonly NativeBuffer _values;
    private readonly NormKind _kind;
    private readonly int _width;
    private readonly float _epsilon;

    /// <param name="weights">The norm's tensors.</param>
    /// <param name="kind">How it normalises.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public PackedNorm(NormWeights weights, NormKind kind, float epsilon)
    {
        (_kind, _width, _epsilon) = (kind, (int)weights.Weight.Elements, epsilon);
        var values = NativeBuffer.OfFloats(2 * Lanes.RoundUp(_width));
        new Span<float>(values.Floats, 2 * Lanes.RoundUp(_width)).Clear();
        weights.Weight.ReadFloats(0, new Span<float>(values.Floats, _width));
        weights.Bias?.ReadFloats(0, new Span<float>(values.Floats + Lanes.RoundUp(_width), _width));
        _values = SharedBuffers.Share(values);
    }

    /// <summary>The memory held, which other norms of the same content share.</summary>
    public NativeBuffer Buffer => _values;

    private float* Weight => _values.Floats;

    private float* Bias => _values.Floats + Lanes.RoundUp(_width);

    /// <summary>Normalises a row; both rows reach to whole lanes.</summary>
    public void Apply(KernelSet kernels, float* x, float* target)
    {
        if (_kind == NormKind.Layer)
            kernels.LayerNorm(x, Weight, Bias, target, _width, _epsilon);
        else
            kernels.RmsNorm(x, Weight, target, _width, _epsilon);
    }

    public void Dispose() => SharedBuffers.Release(_values);
}
