using BenchmarkDotNet.Attributes;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Benchmarks;

/// <summary>The product of the family's largest block matrix, [4096, 1024], with some rows, on one thread or two. The weights do not fit
/// the second-level cache: 16 MB in float32, 8 MB in bf16, 4 MB in int8.</summary>
[InProcess]
public unsafe class MatrixProductBenchmarks : IDisposable
{
    private const int Outputs = 4096;
    private const int Inputs = 1024;

    private PackedMatrix _matrix = null!;
    private MatrixProduct _product = null!;
    private NativeBuffer _x = null!;
    private NativeBuffer _y = null!;

    [Params("AVX-512, VNNI")]
    public string Kernels { get; set; } = "";

    [Params("F32", "BF16", "Int8")]
    public string Format { get; set; } = "";

    [Params(1, 2)]
    public int Threads { get; set; }

    [Params(1, 8, 16, 96)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        WorkerPool pool = WorkerPool.OfSize(Threads);
        var random = new Random(1);
        var weights = new float[Outputs * Inputs];
        for (int i = 0; i < weights.Length; i++)
            weights[i] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) & 0xFFFF0000);
        WeightFormat format = Enum.Parse<WeightFormat>(Format);
        Tensor tensor = format == WeightFormat.BF16
            ? Tensor.InMemory("weight", DType.BF16, Halves(weights), Outputs, Inputs)
            : Tensor.InMemory("weight", weights, Outputs, Inputs);
        _matrix = PackedMatrix.Pack(new LinearWeights(tensor, null), format, pool);
        _product = new MatrixProduct(KernelSet.Available.Single(set => set.Name == Kernels), pool);
        _x = NativeBuffer.OfFloats(Rows * Inputs);
        _y = NativeBuffer.OfFloats(Rows * Outputs);
        for (int i = 0; i < Rows * Inputs; i++)
            _x.Floats[i] = random.NextSingle() - 0.5f;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _matrix.Dispose();
        _product.Dispose();
        _x.Dispose();
        _y.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void Product() => _product.Run(_x.Floats, Inputs, Rows, _matrix, _y.Floats, Outputs, Epilogue.Store);

    private static byte[] Halves(float[] values) =>
        [.. values.SelectMany(value => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))];
}
