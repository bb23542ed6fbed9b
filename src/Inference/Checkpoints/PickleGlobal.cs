using System.Collections.Frozen;

namespace Serving.Inference.Checkpoints;

/// <summary>A name that a pickle may mention. Nothing is imported or called: each is a word with one meaning here.</summary>
/// <param name="Name">Module and name.</param>
/// <param name="Storage">The element type, for the storage classes.</param>
internal sealed record PickleGlobal(string Name, DType? Storage = null)
{
    public static PickleGlobal OrderedDict { get; } = new("collections.OrderedDict");

    public static PickleGlobal RebuildTensor { get; } = new("torch._utils._rebuild_tensor_v2");

    public static PickleGlobal RebuildParameter { get; } = new("torch._utils._rebuild_parameter");

    /// <summary>All there are, by name.</summary>
    public static FrozenDictionary<string, PickleGlobal> All { get; } = new[]
    {
        OrderedDict, RebuildTensor, RebuildParameter,
        new("torch.DoubleStorage", DType.F64), new("torch.FloatStorage", DType.F32), new("torch.HalfStorage", DType.F16),
        new("torch.BFloat16Storage", DType.BF16), new("torch.LongStorage", DType.I64), new("torch.IntStorage", DType.I32),
        new("torch.ShortStorage", DType.I16), new("torch.CharStorage", DType.I8), new("torch.ByteStorage", DType.U8),
        new("torch.BoolStorage", DType.BOOL),
    }.ToFrozenDictionary(global => global.Name, StringComparer.Ordinal);
}
