namespace Serving.Inference.Checkpoints;

#pragma warning disable CA1707 // The format spells them with underscores.

/// <summary>Element types of the safetensors format, by the format's own names.</summary>
public enum DType
{
    /// <summary>4-bit float, two a byte.</summary>
    F4,

    /// <summary>6-bit float, 2 exponent bits.</summary>
    F6_E2M3,

    /// <summary>6-bit float, 3 exponent bits.</summary>
    F6_E3M2,

    /// <summary>One byte, 0 or 1.</summary>
    BOOL,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>Signed byte.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent bits.</summary>
    F8_E5M2,

    /// <summary>8-bit float, 4 exponent bits.</summary>
    F8_E4M3,

    /// <summary>8-bit scale, exponent only.</summary>
    F8_E8M0,

    /// <summary>16-bit signed integer.</summary>
    I16,

    /// <summary>16-bit unsigned integer.</summary>
    U16,

    /// <summary>IEEE half.</summary>
    F16,

    /// <summary>The upper half of a float32.</summary>
    BF16,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>32-bit unsigned integer.</summary>
    U32,

    /// <summary>IEEE single.</summary>
    F32,

    /// <summary>Two float32.</summary>
    C64,

    /// <summary>IEEE double.</summary>
    F64,

    /// <summary>64-bit signed integer.</summary>
    I64,

    /// <summary>64-bit unsigned integer.</summary>
    U64,
}

/// <summary>Sizes of element types.</summary>
public static class DTypes
{
    /// <summary>Bits an element.</summary>
    public static int Bits(this DType type) => type switch
    {
        DType.F4 => 4,
        DType.F6_E2M3 or DType.F6_E3M2 => 6,
        DType.BOOL or DType.U8 or DType.I8 or DType.F8_E5M2 or DType.F8_E4M3 or DType.F8_E8M0 => 8,
        DType.I16 or DType.U16 or DType.F16 or DType.BF16 => 16,
        DType.I32 or DType.U32 or DType.F32 => 32,
        _ => 64,
    };

    /// <summary>Whether weights may have it: F32, BF16 or F16.</summary>
    public static bool IsWeight(this DType type) => type is DType.F32 or DType.BF16 or DType.F16;

    /// <summary>The name that PyTorch gives it.</summary>
    public static string TorchName(this DType type) => type switch
    {
        DType.I8 => "int8",
        DType.BF16 => "bfloat16",
        DType.F16 => "float16",
        _ => "float32",
    };
}
