namespace Serving.Inference.Checkpoints;

/// <summary>Weights as whole numbers from -127 to 127 with one bf16 scale for 64 weights of an output: the same bits whether a model is
/// quantized when it is loaded or when it is converted.</summary>
internal static class EightBits
{
    /// <summary>Weights of an output that share a scale; its last group may have fewer.</summary>
    public const int GroupInputs = 64;

    /// <summary>Groups of an output.</summary>
    public static int GroupsOf(int inputs) => (inputs + GroupInputs - 1) / GroupInputs;

    /// <summary>Quantizes an output's weights.</summary>
    /// <param name="row">[inputs].</param>
    /// <param name="numbers">[inputs], written.</param>
    /// <param name="scales">[groups], written: a group's largest magnitude / 127, rounded up to a bf16 so that no whole number
    /// exceeds 127.</param>
    public static void Quantize(ReadOnlySpan<float> row, Span<sbyte> numbers, Span<ushort> scales)
    {
        for (int group = 0; group * GroupInputs < row.Length; group++)
        {
            int start = group * GroupInputs, count = Math.Min(GroupInputs, row.Length - start);
            float largest = 0;
            foreach (float weight in row.Slice(start, count))
                largest = Math.Max(largest, Math.Abs(weight));
            uint bits = (BitConverter.SingleToUInt32Bits(largest / 127) + 0xFFFF) & 0xFFFF0000;
            scales[group] = (ushort)(bits >> 16);
            float inverse = bits == 0 ? 0 : 1 / BitConverter.UInt32BitsToSingle(bits);
            for (int i = start; i < start + count; i++)
                numbers[i] = (sbyte)MathF.Round(row[i] * inverse);
        }
    }
}
