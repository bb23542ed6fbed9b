namespace Serving.Server.Benchmarks;

/// <summary>The sizes of a model of the family, for a benchmark that needs no checkpoint.</summary>
internal sealed record BenchShape(string Name, int Layers, int Width, int Heads, int HiddenWidth, int VocabularySize, int ContextTokens)
{
    public static IReadOnlyList<BenchShape> All { get; } =
    [
        new("470m", 16, 1024, 32, 4096, 131_072, 1024),
        new("335m", 16, 1024, 32, 4096, 65_536, 1024),
        new("42m", 8, 512, 16, 2048, 32_768, 1024),
        new("5m", 4, 256, 8, 1024, 8_192, 512),
    ];
}
