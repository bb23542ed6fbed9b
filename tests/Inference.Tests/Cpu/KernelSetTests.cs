using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Tests.Cpu;

/// <summary>Every kernel of every instruction set that the machine has, against its scalar twin: bit for bit.</summary>
public sealed unsafe class KernelSetTests
{
    private readonly RandomModel _random = new(3, DType.F32);

    public static TheoryData<string, int> SetsAndSizes(params int[] sizes)
    {
        var data = new TheoryData<string, int>();
        foreach (KernelSet set in KernelSet.Available)
        {
            foreach (int size in sizes)
                data.Add(set.Name, size);
        }

        return data;
    }

    public static TheoryData<string, int> Widths => SetsAndSizes(1, 15, 16, 17, 32, 72, 100);

    public static TheoryData<string, int> ProductInputs => SetsAndSizes(1, 15, 16, 63, 64, 65, 100, 1100);

    public static TheoryData<string, int> HeadSizes => SetsAndSizes(2, 16, 24, 32, 64, 80, 128);

    public static TheoryData<string, int> Tokens => SetsAndSizes(1, 2, 3, 15, 16, 17, 31, 64, 77);

    [Theory]
    [MemberData(nameof(ProductInputs))]
    public void MatrixProduct_AnyRows_EqualsItsTwin(string kernels, int inputs)
    {
        RequireFma();
        foreach (WeightFormat format in Enum.GetValues<WeightFormat>())
        {
            foreach (int rows in (int[])[1, 2, 3, 4, 5, 6, 7, 13, 25])
                CheckProduct(Set(kernels), inputs, rows, outputs: 77, format);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void MatrixProduct_OfBytesWithANonFiniteValue_GivesNothingFinite(float value)
    {
        WorkerPool pool = WorkerPool.OfSize(1);
        var linear = new LinearWeights(Tensor.InMemory("weight", _random.Values(64 * 70, 1), 64, 70), null);
        using PackedMatrix matrix = PackedMatrix.Pack(linear, WeightFormat.Int8, pool);
        foreach (int at in (int[])[3, 69])
        {
            float[] x = _random.Values(70, 1), y = new float[64];
            x[at] = value;
            foreach (KernelSet set in KernelSet.Available)
            {
                using var product = new MatrixProduct(set, pool);
                fixed (float* px = x, py = y)
                {
                    lock (pool.Gate)
                        product.Run(px, 70, 1, matrix, py, 64, Epilogue.Store);
                }

                Assert.DoesNotContain(y, float.IsFinite);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void LayerNorm_AnyWidth_EqualsItsTwin(string kernels, int width)
    {
        RequireFma();
        (float[] x, float[] weight, float[] bias) = (_random.Values(width, 3), _random.Values(width, 1), _random.Values(width, 1));
        var target = new float[128];
        fixed (float* px = Padded(x, float.NaN), pw = Padded(weight), pb = Padded(bias), pt = target)
            Set(kernels).LayerNorm(px, pw, pb, pt, width, 1e-3f);
        AssertSameBits(ScalarKernels.LayerNorm(x, weight, bias, 1e-3f), target.AsSpan(0, width));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void RmsNorm_AnyWidth_EqualsItsTwin(string kernels, int width)
    {
        RequireFma();
        (float[] x, float[] weight) = (_random.Values(width, 3), _random.Values(width, 1));
        var target = new float[128];
        fixed (float* px = Padded(x, float.NaN), pw = Padded(weight), pt = target)
            Set(kernels).RmsNorm(px, pw, pt, width, 1e-5f);
        AssertSameBits(ScalarKernels.RmsNorm(x, weight, 1e-5f), target.AsSpan(0, width));
    }

    [Theory]
    [MemberData(nameof(HeadSizes))]
    public void Rotate_AnyHeadSize_EqualsItsTwin(string kernels, int size)
    {
        (float[] head, float[] cosines, float[] sines) = (_random.Values(size, 2), _random.Values(size, 1), _random.Values(size, 1));
        float[] expected = ScalarKernels.Rotate(head, cosines, sines, 0.25f);
        fixed (float* ph = head, pc = cosines, ps = sines)
            Set(kernels).Rotate(ph, pc, ps, size, 0.25f);
        AssertSameBits(expected, head);
    }

    [Theory]
    [MemberData(nameof(Tokens))]
    public void Attend_AnyLength_EqualsItsTwin(string kernels, int tokens)
    {
        RequireFma();
        foreach (int size in (int[])[16, 24, 32, 64, 128])
        {
            CheckAttention(Set(kernels), tokens, size, queries: 1);
            CheckAttention(Set(kernels), tokens, size, queries: KernelSet.TileRows);
        }
    }

    [Theory]
    [InlineData(nameof(Epilogue.Gelu))]
    [InlineData(nameof(Epilogue.GeluTanh))]
    [InlineData(nameof(Epilogue.Silu))]
    [InlineData(nameof(Epilogue.Relu))]
    public void Finish_Activation_IsCloseToTheExactFunction(string name)
    {
        Epilogue epilogue = Enum.Parse<Epilogue>(name);
        Func<double, double> exact = epilogue switch
        {
            Epilogue.GeluTanh => x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
            Epilogue.Silu => x => x / (1 + Math.Exp(-x)),
            Epilogue.Relu => x => Math.Max(x, 0),
            _ => Gelu,
        };
        foreach (KernelSet set in KernelSet.Available)
        {
            for (float start = -12; start < 12; start += 0.5f)
            {
                float[] x = [.. Enumerable.Range(0, 64).Select(i => start + (i / 128f))];
                var y = new float[64];
                fixed (float* px = x, py = y)
                    set.Finish(px, py, 64, epilogue);
                for (int i = 0; i < 64; i++)
                    Assert.Equal(exact(x[i]), y[i], 1e-6 * Math.Max(1, Math.Abs(x[i])));
            }
        }
    }

    [Fact]
    public void Finish_AddAndPartialStore_TouchOnlyTheirValues()
    {
        foreach (KernelSet set in KernelSet.Available)
        {
            float[] x = _random.Values(64, 1), y = _random.Values(64, 1), before = [.. y];
            fixed (float* px = x, py = y)
            {
                set.Finish(px, py, 64, Epilogue.Add);
                AssertSameBits([.. before.Select((value, i) => x[i] + value)], y);
                before = [.. y];
                set.Finish(px, py, 5, Epilogue.Store);
                AssertSameBits([.. x[..5], .. before[5..]], y);
            }
        }
    }

    [Fact]
    public void Exp_OverItsRange_IsWithinTwoUnitsOfTheLastPlace()
    {
        for (float x = -87; x < 88; x += 0.0137f)
            Assert.Equal(1, ScalarKernels.Exp(x) / Math.Exp(x), 3e-7);
    }

    [Theory]
    [MemberData(nameof(Tokens))]
    public void Exponentials_AnyCount_AreThoseOfDoublePrecision(string kernels, int count)
    {
        float[] logits = _random.Values(count, 40), actual = new float[count];
        float sum, max;
        fixed (float* source = logits, target = actual)
            sum = Set(kernels).Exponentials(source, count, target, out max);
        Assert.Equal(logits.Max(), max);
        Assert.All(logits.Zip(actual), pair => Assert.Equal(Math.Exp((double)pair.First - max), pair.Second, 1e-6));
        Assert.Equal(logits.Sum(logit => Math.Exp((double)logit - max)), sum, 1e-6 * count);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Exponentials_NonFiniteLogit_SumIsNotANumber(float value)
    {
        foreach (KernelSet set in KernelSet.Available)
        {
            foreach (int place in (int[])[0, 20, 99])
            {
                float[] logits = new float[100], target = new float[100];
                logits[place] = value;
                fixed (float* source = logits, to = target)
                    Assert.True(float.IsNaN(set.Exponentials(source, 100, to, out _)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Tokens))]
    public void Scale_AnyCount_SameBitsAsItsTwin(string kernels, int count)
    {
        float[] values = _random.Values(count, 1), start = _random.Values(count, 1), actual = [.. start];
        fixed (float* source = values, target = actual)
        {
            Set(kernels).Scale(source, count, 0.3f, target, adds: true);
            AssertSameBits([.. values.Zip(start, (value, sum) => MathF.FusedMultiplyAdd(value, 0.3f, sum))], actual);
            Set(kernels).Scale(source, count, 0.3f, target, adds: false);
            AssertSameBits([.. values.Select(value => value * 0.3f)], actual);
        }
    }

    private void CheckProduct(KernelSet set, int inputs, int rows, int outputs, WeightFormat format)
    {
        float[] weights = _random.Values(outputs * inputs, 1), bias = _random.Values(outputs, 1);
        float[] x = _random.Values(rows * inputs, 1);
        if (format == WeightFormat.BF16)
            weights = [.. weights.Select(Truncate)];
        WorkerPool pool = WorkerPool.OfSize(2);
        using PackedMatrix matrix = PackedMatrix.Pack(new LinearWeights(
            WeightTensor(weights, format == WeightFormat.BF16, outputs, inputs), Tensor.InMemory("bias", bias, outputs)), format, pool);
        using var product = new MatrixProduct(set, pool);
        var y = new float[rows * outputs];
        fixed (float* px = x, py = y)
        {
            lock (pool.Gate)
                product.Run(px, inputs, rows, matrix, py, outputs, Epilogue.Store);
        }

        float[][] matrixRows = [.. weights.Chunk(inputs)];
        for (int row = 0; row < rows; row++)
        {
            float[] one = x[(row * inputs)..((row + 1) * inputs)];
            float[] expected = format == WeightFormat.Int8
                ? ScalarKernels.MultiplyInt8(one, matrixRows, bias)
                : ScalarKernels.Multiply(one, matrixRows, bias);
            AssertSameBits(expected, y.AsSpan(row * outputs, outputs));
        }
    }

    private void CheckAttention(KernelSet set, int tokens, int size, int queries)
    {
        int stride = Lanes.RoundUp(size), all = tokens + queries - 1, blocks = (all + 15) / 16;
        float[][] keys = [.. Enumerable.Range(0, all).Select(_ => _random.Values(size, 1))];
        float[][] values = [.. Enumerable.Range(0, all).Select(_ => _random.Values(size, 1))];
        float[] query = _random.Values(queries * size, 1), output = new float[queries * stride], scores = new float[queries * 16 * blocks];
        int[] table = [.. Enumerable.Range(0, blocks).Select(i => 2 * (blocks - 1 - i))];
        using var store = new KvStore(1, 2 * blocks, 1, stride);
        new Span<byte>(store.Keys(0, 0), (int)(4 * blocks * store.BlockBytes)).Fill(0xFF); // scales that are not numbers
        for (int token = 0; token < all; token++)
        {
            fixed (float* key = Padded(keys[token]), value = Padded(values[token]))
            {
                nint block = table[token / 16] * store.BlockBytes;
                set.StoreKv(store.Keys(0, 0) + block, store.Values(0, 0) + block, token % 16, key, value, stride);
            }
        }

        fixed (float* pq = query, po = output, ps = scores)
        {
            var task = new AttentionTask
            {
                Query = pq,
                QueryStride = size,
                Queries = queries,
                Tokens = tokens,
                Keys = store.Keys(0, 0),
                Values = store.Values(0, 0),
                BlockBytes = store.BlockBytes,
                HeadBytes = store.HeadBytes,
                HeadSize = size,
                HeadStride = stride,
                Scores = ps,
                ScoreStride = 16 * blocks,
                Output = po,
            };
            set.Attend(task, table);
        }

        for (int i = 0; i < queries; i++)
        {
            float[] expected = ScalarKernels.Attend(query[(i * size)..((i + 1) * size)], keys[..(tokens + i)], values[..(tokens + i)]);
            AssertSameBits(expected, output.AsSpan(i * stride, size));
        }
    }

    private static Tensor WeightTensor(float[] values, bool isBf16, int rows, int columns) => isBf16
        ? Tensor.InMemory("weight", DType.BF16, MemoryMarshal.AsBytes<ushort>(
            [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))]), rows, columns)
        : Tensor.InMemory("weight", values, rows, columns);

    private static float Truncate(float value) =>
        BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000);

    private static float[] Padded(float[] values, float with = 0)
    {
        var padded = new float[Lanes.RoundUp(values.Length) + Lanes.Count];
        padded.AsSpan().Fill(with);
        values.CopyTo(padded, 0);
        return padded;
    }

    // erf by its Taylor series, which converges everywhere.
    private static double Gelu(double x)
    {
        double z = x / Math.Sqrt(2);
        if (Math.Abs(z) > 5)
            return Math.Max(x, 0);
        double term = z, sum = z;
        for (int n = 1; n < 200; n++)
        {
            term *= -z * z / n;
            sum += term / ((2 * n) + 1);
        }

        return 0.5 * x * (1 + (2 / Math.Sqrt(Math.PI) * sum));
    }

    private static KernelSet Set(string name) => KernelSet.Available.Single(set => set.Name == name);

    private static void RequireFma() =>
        Assert.SkipUnless(Fma.IsSupported || AdvSimd.IsSupported, "No fused multiply-add here.");

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual) =>
        Assert.Equal(MemoryMarshal.Cast<float, uint>(expected).ToArray(), MemoryMarshal.Cast<float, uint>(actual).ToArray());
}
