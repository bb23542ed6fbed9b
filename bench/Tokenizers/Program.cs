using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Serving.Glyphs.Tokens;

// Encodes texts on one thread and prints, a line each: file, characters, tokens, SHA-256 of the ids (int32, little-endian), and the
// best of five runs in millions of characters a second. bench/encoding_speed.py does the same with the Hugging Face library:
//   dotnet run -c Release --project bench/Tokenizers -- tokenizer.json TEXT...
if (args is not [var file, .. { Length: > 0 } texts])
{
    Console.Error.WriteLine("usage: Tokenizers TOKENIZER.json TEXT...");
    return 2;
}

const int Runs = 5;
Tokenizer tokenizer = Tokenizer.Load(file);
foreach (string path in texts)
{
    string text = File.ReadAllText(path);
    int[] ids = tokenizer.Encode(text, SpecialTokens.Parse, addSpecialTokens: false);
    double best = double.MaxValue;
    for (int run = 0; run < Runs; run++)
    {
        long start = Stopwatch.GetTimestamp();
        _ = tokenizer.Encode(text, SpecialTokens.Parse, addSpecialTokens: false);
        best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    int characters = text.EnumerateRunes().Count();
    string hash = Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(ids.AsSpan())))[..16];
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{Path.GetFileName(path)} {characters} {ids.Length} {hash} {characters / best / 1e6:0.00}"));
}

return 0;
