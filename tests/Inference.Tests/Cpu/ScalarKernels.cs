namespace Serving.Inference.Tests.Cpu;

/// <summary>The scalar twins of the vector kernels: the same operations in the same order, one value at a time.</summary>
internal static class ScalarKernels
{
    private const int Lanes = 16;

    /// <summary>One chain over the inputs for every output; weights are [outputs, inputs].</summary>
    public static float[] Multiply(float[] x, float[][] weights, float[] start) => [.. weights.Select((row, output) =>
    {
        float sum = start[output];
        for (int i = 0; i < x.Length; i++)
            sum = MathF.FusedMultiplyAdd(x[i], row[i], sum);
        return sum;
    })];

    /// <summary>The same with weights and values quantized in groups of 64 inputs: a whole number for each group, scaled into the
    /// sum.</summary>
    public static float[] MultiplyInt8(float[] x, float[][] weights, float[] start) => [.. weights.Select((row, output) =>
    {
        float sum = start[output];
        for (int first = 0; first < x.Length; first += 64)
        {
            float[] group = row[first..Math.Min(first + 64, x.Length)], values = x[first..Math.Min(first + 64, x.Length)];
            float scale = RoundUpToBf16(group.Max(Math.Abs) / 127), largest = values.Max(Math.Abs);
            long dot = group.Zip(values, (weight, value) =>
                (scale == 0 ? 0 : (long)MathF.Round(weight * (1 / scale))) * (largest == 0 ? 0 : (long)MathF.Round(value * (127 / largest)))).Sum();
            sum = MathF.FusedMultiplyAdd(dot * (largest / 127), scale, sum);
        }

        return sum;
    })];

    public static float[] LayerNorm(float[] x, float[] weight, float[] bias, float epsilon)
    {
        float mean = LaneSum(x, (sum, value) => sum + value) / x.Length;
        float variance = LaneSum([.. x.Select(value => value - mean)], AddSquare) / x.Length;
        float inverse = 1 / MathF.Sqrt(variance + epsilon);
        return [.. x.Select((value, i) => MathF.FusedMultiplyAdd((value - mean) * inverse, weight[i], bias[i]))];
    }

    public static float[] RmsNorm(float[] x, float[] weight, float epsilon)
    {
        float inverse = 1 / MathF.Sqrt((LaneSum(x, AddSquare) / x.Length) + epsilon);
        return [.. x.Select((value, i) => value * inverse * weight[i])];
    }

    public static float[] Rotate(float[] head, float[] cosines, float[] sines, float scale)
    {
        int half = head.Length / 2;
        return [.. head.Select((value, i) => i < half
            ? ((value * cosines[i]) - (head[i + half] * sines[i])) * scale
            : ((value * cosines[i]) + (head[i - half] * sines[i])) * scale)];
    }

    /// <summary>Attention of one query; keys and values are [tokens][size], and become whole numbers of 16 bits.</summary>
    public static float[] Attend(float[] query, float[][] keys, float[][] values)
    {
        (float Scale, float[] Numbers)[] k = [.. keys.Select(ToShorts)], v = [.. values.Select(ToShorts)];
        float[] scores = [.. k.Select(key => Multiply(query, [key.Numbers], [0])[0] * key.Scale)];
        float largest = scores.Max();
        float[] weights = [.. scores.Select(score => Exp(score - largest))];
        float scale = 1 / LaneSum(weights, (sum, value) => sum + value);
        return [.. Enumerable.Range(0, query.Length).Select(i =>
        {
            var sums = new float[4];
            for (int token = 0; token < keys.Length; token++)
                sums[token % 4] = MathF.FusedMultiplyAdd(weights[token] * v[token].Scale, v[token].Numbers[i], sums[token % 4]);
            return ((sums[0] + sums[1]) + (sums[2] + sums[3])) * scale;
        })];
    }

    /// <summary>Whole numbers from -32,767 to 32,767, halves to even, and what one of them is worth.</summary>
    public static (float Scale, float[] Numbers) ToShorts(float[] values)
    {
        float scale = values.Max(MathF.Abs) / short.MaxValue, inverse = 1 / scale;
        return (scale, [.. values.Select(value => MathF.Round(value * inverse, MidpointRounding.ToEven))]);
    }

    public static float Exp(float x)
    {
        x = Math.Clamp(x, -87.3f, 88f);
        float n = MathF.Round(x * 1.44269504f, MidpointRounding.ToEven);
        float r = MathF.FusedMultiplyAdd(n, -0.693359375f, x);
        r = MathF.FusedMultiplyAdd(n, 2.12194440e-4f, r);
        float p = 1.9875691500e-4f;
        foreach (float c in (float[])[1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f])
            p = MathF.FusedMultiplyAdd(p, r, c);
        p = MathF.FusedMultiplyAdd(p, r * r, r + 1);
        return p * BitConverter.Int32BitsToSingle(((int)n + 127) << 23);
    }

    private static float RoundUpToBf16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits & 0xFFFF) == 0 ? bits : (bits & 0xFFFF0000) + 0x10000);
    }

    private static float AddSquare(float sum, float value) => MathF.FusedMultiplyAdd(value, value, sum);

    // Sixteen chains side by side, then halves onto halves.
    private static float LaneSum(float[] values, Func<float, float, float> add)
    {
        var lanes = new float[Lanes];
        for (int i = 0; i < values.Length; i++)
            lanes[i % Lanes] = add(lanes[i % Lanes], values[i]);
        for (int half = Lanes / 2; half >= 1; half /= 2)
        {
            for (int i = 0; i < half; i++)
                lanes[i] += lanes[i + half];
        }

        return lanes[0];
    }
}
