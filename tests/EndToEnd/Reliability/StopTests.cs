using System.Text.Json;

namespace Serving.EndToEnd.Reliability;

/// <summary>R18: stop texts at every place of an answer, across tokens, overlapping, with log-probabilities; streamed as whole.</summary>
[Collection(nameof(SharedServer))]
public sealed class StopTests(SharedServer server)
{
    private static readonly string[] Lists = ["tokens", "token_logprobs", "top_logprobs", "text_offset"];

    [Fact]
    public async Task Stop_AnyPartOfAnAnswer_EndsItThereAndIsNeverLeaked()
    {
        string free = (await CompleteAsync([])).GetProperty("text").GetString()!;
        var random = new Random(18);
        for (int i = 0; i < Count.Of(few: 80, full: 600); i++)
        {
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Part(free, random))];
            if (i % 5 == 0)
                stops = [.. stops, stops[0] + "\u0001never", stops[0][..1] + "\u0002"];
            JsonElement whole = await CompleteAsync(stops);
            string text = whole.GetProperty("text").GetString()!;
            Assert.Equal(free[..End(free, stops)], text);
            Assert.Equal("stop", whole.GetProperty("finish_reason").GetString());

            JsonElement[] pieces = await StreamAsync(stops);
            Assert.Equal(text, string.Concat(pieces.Select(piece => piece.GetProperty("text").GetString())));
            string shown = "";
            foreach (JsonElement piece in pieces)
            {
                shown += piece.GetProperty("text").GetString();
                Assert.StartsWith(shown, text, StringComparison.Ordinal);
            }
            foreach (string list in Lists)
            {
                Assert.Equal(whole.GetProperty("logprobs").GetProperty(list).EnumerateArray().Select(entry => entry.GetRawText()),
                    pieces.Select(piece => piece.GetProperty("logprobs")).Where(logprobs => logprobs.ValueKind == JsonValueKind.Object)
                        .SelectMany(logprobs => logprobs.GetProperty(list).EnumerateArray()).Select(entry => entry.GetRawText()));
            }
        }
    }

    [Fact]
    public async Task Stop_BegunAtTheEnd_IsGivenBack()
    {
        string free = (await CompleteAsync([])).GetProperty("text").GetString()!;
        JsonElement whole = await CompleteAsync([free[^3..] + "\u0001"]);
        Assert.Equal((free, "length"), (whole.GetProperty("text").GetString(), whole.GetProperty("finish_reason").GetString()));
    }

    // The stop text that is complete first wins; the longest of those that end together.
    private static int End(string free, string[] stops)
    {
        var ends = stops.Select(stop => (At: free.IndexOf(stop, StringComparison.Ordinal), stop.Length)).Where(found => found.At >= 0).ToList();
        int first = ends.Min(found => found.At + found.Length);
        return ends.Where(found => found.At + found.Length == first).Min(found => found.At);
    }

    private static string Part(string text, Random random)
    {
        int at = random.Next(text.Length);
        return text.Substring(at, random.Next(1, Math.Min(6, text.Length - at) + 1));
    }

    private static object Body(string[] stop, bool stream) => new
    {
        model = "plain", prompt = "Hi", max_tokens = 30, temperature = 1.1, seed = 4, ignore_eos = true, logprobs = 1, stop, stream,
    };

    private async Task<JsonElement> CompleteAsync(string[] stops) => (await server.AskAsync("/v1/completions", Body(stops, stream: false))).GetProperty("choices")[0];

    private async Task<JsonElement[]> StreamAsync(string[] stops) => [.. (await server.EventsAsync("/v1/completions", Body(stops, stream: true)))
        .SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0])];
}
