using System.Text;
using System.Text.Json;
using Serving.Glyphs.Tokens;

namespace Serving.Server.Benchmarks;

/// <summary>A tokenizer of any size, one code point a token: what a random model writes is never read.</summary>
internal static class BenchTokenizer
{
    private const int FirstCodePoint = 0x100;
    private const int Surrogates = 0x800;

    public static Tokenizer OfSize(int size)
    {
        var vocabulary = Enumerable.Range(0, size).ToDictionary(id => CodePoint(id).ToString(), id => id);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, JsonSerializer.Serialize(new
            {
                version = "1.0",
                model = new { type = "BPE", vocab = vocabulary, merges = Array.Empty<string>() },
            }));
            return Tokenizer.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Rune CodePoint(int id) => new(FirstCodePoint + id < 0xD800 ? FirstCodePoint + id : FirstCodePoint + Surrogates + id);
}
