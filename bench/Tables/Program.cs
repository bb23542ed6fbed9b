using System.Diagnostics;
using System.Globalization;
using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Fonts;
using Serving.Glyphs.Tokens;

// How long it takes to look into a large table, a line each. Without arguments: exact neighbours in a random table of 131,072 x 1,024,
// one query and several at once. With a tokenizer: the directions of its glyph-1024 table recovered, and pictures rebuilt with them.
//   dotnet run -c Release --project bench/Tables [-- tokenizer.json]
if (args is [var file]) Rebuild(file);
else FindNeighbours();

static void FindNeighbours()
{
    const int Rows = 131_072, Dimensions = 1024, Neighbours = 10;
    var random = new Random(1);
    var values = new float[Rows * Dimensions];
    for (int i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
    var table = new FrozenTable(Rows, Dimensions, values);
    NearestRows nearest = Timed("prepared", 1, () => new NearestRows(table));
    foreach (int queries in (int[])[1, 2, 4, 8, 16, 64])
    {
        int[] ids = [.. Enumerable.Range(0, queries).Select(i => i * 997)];
        for (int i = 0; i < 20; i++) _ = nearest.Of(ids, Neighbours); // compiled for good
        Timed($"{queries} queries at once, each", queries, () => nearest.Of(ids, Neighbours), runs: 15);
    }
}

static void Rebuild(string file)
{
    string[] tokens = Tokenizer.Load(file).Spellings();
    using var pictures = new GlyphPictures(GlyphFont.Unifont, GlyphRecipe.Glyph1024);
    BitMatrix bits = Timed("pictures drawn", 1, () => pictures.DrawAll(tokens));
    PrincipalComponents components = Timed("components found", 1, () => PrincipalComponents.Of(bits, GlyphRecipe.Glyph1024.Components));
    FrozenTable table = Timed("rows computed", 1, () => new GlyphTable(GlyphRecipe.Glyph1024, "", bits, components).ToFrozenTable());
    long before = GC.GetTotalMemory(forceFullCollection: true);
    GlyphProjection projection = Timed("directions recovered", 1, () => GlyphProjection.Recover(table, bits));
    Console.WriteLine($"kept for the directions {(GC.GetTotalMemory(forceFullCollection: true) - before) / 1e6:0} MB, for the pictures {bits.Bytes.Length / 1e6:0} MB; {tokens.Length} tokens");
    Timed("a picture rebuilt, with its errors", 1, () => (projection.Rebuild(table.Row(100), 1, 1024), projection.ErrorsOf(table.Row(100), 1, bits.Row(100))), runs: 15);
}

// The median of some runs, shared out to as many things as each run did.
static T Timed<T>(string what, int things, Func<T> work, int runs = 1)
{
    var times = new double[runs];
    T result = default!;
    for (int run = 0; run < runs; run++)
    {
        long start = Stopwatch.GetTimestamp();
        result = work();
        times[run] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what} {times.Order().ElementAt(runs / 2) / things:0.0} ms"));
    return result;
}
