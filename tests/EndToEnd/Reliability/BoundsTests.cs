using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.EndToEnd.Reliability;

/// <summary>R15: every value out of range is refused by the path of its field, on every route that takes it.</summary>
[Collection(nameof(SharedServer))]
public sealed class BoundsTests(SharedServer server)
{
    private const string Huge = "99999999999999999999";

    private static readonly (string Field, string[] Values)[] Shared =
    [
        ("n", ["0", "-1", "129", "2147483647", "2147483648", "1.5", "\"1\"", "[]", Huge]),
        ("min_tokens", ["-1", "49", "2147483647", Huge, "\"1\""]),
        ("temperature", ["-0.1", "2.1", "1e999", "-1e999", "\"1\"", "[]", "{}", "true"]),
        ("top_p", ["0", "-1", "1.01", "1e999", "\"x\""]),
        ("top_k", ["-2", "-2147483648", Huge, "1.5"]),
        ("min_p", ["-0.1", "1.1", "1e999"]),
        ("presence_penalty", ["-2.1", "2.1", "1e999"]),
        ("frequency_penalty", ["-2.1", "2.1", "1e999"]),
        ("repetition_penalty", ["0", "-1", "2.1", "1e999"]),
        ("seed", [Huge, "1.5", "\"1\"", "-99999999999999999999"]),
        ("stream", ["1", "\"true\"", "[]"]),
        ("ignore_eos", ["1", "\"x\""]),
        ("special_tokens", ["\"\"", "\"PARSE\"", "1"]),
        ("user", ["1", "{}"]),
        ("logit_bias", ["[]", "1", "{\"256\":1}", "{\"-1\":1}", "{\"a\":1}", "{\" 5\":1}", Many("\"{0}\":1", 301)]),
        ("logit_bias.5", ["{\"5\":\"x\"}", "{\"5\":101}", "{\"5\":-101}", "{\"5\":1e999}"]),
        ("stop", ["1", "{}", "[1]", "[null]", List("\"a\"", 17), List("\"a\"", 100_000)]),
        ("stop[0]", ["[\"\"]", $"[\"{new string('a', 1025)}\"]"]),
        ("stop_token_ids", ["1", "[1.5]", "[\"a\"]", List("1", 257)]),
        ("stop_token_ids[0]", ["[256]", "[-1]", "[2147483647]"]),
    ];

    private static readonly (string Field, string[] Values)[] OfCompletions =
    [
        ("max_tokens", ["-1", "49", "2147483647", "2147483648", "1.5", "\"1\"", Huge]),
        ("logprobs", ["-1", "21", "2147483647", "true", "1.5"]),
        ("best_of", ["0", "-1", "129", Huge]),
        ("echo", ["1", "\"true\""]),
        ("suffix", ["\"x\"", "1"]),
        ("prompt", ["1", "true", "{}", "[]", "[null]", "[[]]", "[1,\"a\"]", "[[1],2]", "[1.5]", "[[[1]]]", "[99999999999]", "\"\"", List("[1]", 129), List("1", 100_000)]),
        ("prompt[0]", ["[-1]", "[256]", "[2147483647]", "[\"\",\"a\"]"]),
    ];

    private static readonly (string Field, string[] Values)[] OfChat =
    [
        ("max_tokens", ["0", "-1", "49", Huge]), ("max_completion_tokens", ["0", "-1", "49", Huge]), ("top_logprobs", ["1", "-1"]), ("logprobs", ["1", "\"x\""]),
        ("messages", ["1", "{}", "[]", "\"x\"", List("{}", 4097)]), ("messages[0].role", ["[{}]", "[{\"role\":\"\"}]", "[{\"role\":1}]"]),
        ("messages[0].content", ["[{\"role\":\"user\"}]", "[{\"role\":\"user\",\"content\":1}]", "[{\"role\":\"user\",\"content\":[1]}]"]),
    ];

    private static readonly (string Field, string[] Values)[] OfEmbeddings =
    [
        ("input", ["1", "{}", "[]", "\"\"", "[[]]", "[null]", List("[1]", 2049), List("1", 100_000)]), ("input[0]", ["[256]", "[-1]"]), ("dimensions", ["0", "-1", "31", Huge, "\"x\""]),
        ("encoding_format", ["\"\"", "\"hex\"", "1"]), ("layer", ["\"\"", "\"first\"", "1"]),
    ];

    private static readonly (string Field, string[] Values)[] OfComparisons =
    [
        .. Shared.Where(entry => entry.Field is not ("n" or "stream" or "user")),
        ("models", ["1", "{}", "[]", "[\"plain\"]", List("\"plain\"", 9), List("\"plain\"", 100_000)]), ("models[1]", ["[\"plain\",\"\"]", "[\"plain\",null]", "[\"plain\",1]"]),
        ("max_tokens", ["-1", "49", "2147483648", "1.5", Huge]), ("leave_one_out", ["true", "1"]), ("prompt", ["1", "[]", "[\"a\",\"b\"]", "\"\""]), ("prompt[0]", ["[256]", "[-1]"]),
        ("n", ["2"]), ("stream", ["true"]), ("logprobs", ["1"]), ("best_of", ["2"]), ("echo", ["true"]), ("ensemble", ["{\"experts\":[]}"]), ("model", ["\"plain\""]), ("tools", ["[{}]"]),
    ];

    private static readonly (string Field, string[] Values)[] OfTokenizing =
        [("prompt", ["1", "[]", "{}", "null"]), ("add_special_tokens", ["1", "\"true\""]), ("special_tokens", ["\"\"", "\"PARSE\"", "1"]), ("model", ["1", "[]"])];

    private static readonly (string Field, string[] Values)[] OfDetokenizing = [("tokens", ["1", "\"a\"", "[\"a\"]", "[1.5]", "null"]), ("tokens[0]", ["[256]", "[-1]", "[2147483647]"])];

    private static readonly (string Field, string[] Values)[] OfLogits =
        [("tokens", ["1", "[]", "[\"a\"]", List("1", 49), List("1", 100_000)]), ("tokens[0]", ["[256]", "[-1]"]), ("last", ["0", "-1", "2", Huge, "\"1\""])];

    private static readonly (string Field, string[] Values)[] OfSimilarities =
        [("texts", ["1", "[]", "[1]", List("\"a\"", 257)]), ("texts[0]", ["[\"\"]"])];

    private static readonly (string Field, string[] Values)[] OfEnsembles =
        [("experts", ["1", "{}", "[]", List("{\"model\":\"plain\"}", 9)]), ("experts[0].weight", ["[{\"model\":\"plain\",\"weight\":-1}]", "[{\"model\":\"plain\",\"weight\":1000001}]", "[{\"model\":\"plain\",\"weight\":1e999}]"]),
        ("experts[0].model", ["[{}]", "[{\"model\":\"\"}]", "[{\"model\":1}]"]), ("combine", ["\"\"", "\"mean\"", "1"])];

    [Fact]
    public async Task Value_OutOfRange_IsRefusedByItsField()
    {
        List<(string Path, string Field, string Body)> cases =
        [
            .. Bodies("/v1/completions", "\"prompt\":\"x\"", [.. Shared, .. OfCompletions]),
            .. Bodies("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]", [.. Shared, .. OfChat]),
            .. Bodies("/v1/embeddings", "\"input\":\"x\"", OfEmbeddings),
            .. Bodies("/v1/compare", "\"models\":[\"plain\",\"bf16\"],\"prompt\":\"x\"", OfComparisons, model: ""),
            .. Bodies("/tokenize", "\"prompt\":\"x\"", OfTokenizing, model: ""),
            .. Bodies("/detokenize", "\"tokens\":[1]", OfDetokenizing),
            .. Bodies("/v1/models/plain/logits", "\"tokens\":[1]", OfLogits, model: ""),
            .. Bodies("/v1/models/plain/embeddings/similarity", "\"texts\":[\"x\"]", OfSimilarities, model: ""),
            .. Bodies("/v1/ensembles/x", "\"experts\":[{\"model\":\"plain\"}]", OfEnsembles, model: ""),
        ];
        Assert.True(cases.Count >= 250);
        List<double> milliseconds = [];
        foreach ((string path, string field, string body) in cases)
        {
            long start = Stopwatch.GetTimestamp();
            using var request = new HttpRequestMessage(path.StartsWith("/v1/ensembles", StringComparison.Ordinal) ? HttpMethod.Put : HttpMethod.Post, path)
            {
                Content = new StringContent(body, Encoding.UTF8, "application/json"),
            };
            using HttpResponseMessage response = await server.Client.SendAsync(request);
            milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            string text = await response.Content.ReadAsStringAsync();
            string shown = $"{path} {body[..Math.Min(body.Length, 200)]} -> {(int)response.StatusCode} {text}";
            Assert.True((int)response.StatusCode == 400, shown);
            JsonElement answer = JsonDocument.Parse(text).RootElement;
            string? param = (path.StartsWith("/v1", StringComparison.Ordinal) ? answer.GetProperty("error") : answer).GetProperty("param").GetString();
            Assert.True(param == field || param?.StartsWith(field + "[", StringComparison.Ordinal) is true, $"{field}: {shown}");
        }
        await server.AssertWellAsync();
        Count.Record("R15", $"{cases.Count} values out of range: all 400 with their field; 99 % within {milliseconds.Order().ElementAt(cases.Count * 99 / 100):0.0} ms, slowest {milliseconds.Max():0.0} ms");
    }

    // The value in the place of the field's own, or beside what the route needs.
    private static IEnumerable<(string, string, string)> Bodies(
        string path, string rest, (string Field, string[] Values)[] table, string model = "\"model\":\"plain\"") =>
        from entry in table
        from value in entry.Values
        let key = entry.Field.Split('[', '.')[0]
        let others = JsonNode.Parse($"{{{model}{(model.Length > 0 ? "," : "")}{rest}}}")!.AsObject().Where(field => field.Key != key)
        select (path, entry.Field, $"{{{string.Concat(others.Select(field => $"\"{field.Key}\":{field.Value!.ToJsonString()},"))}\"{key}\":{value}}}");

    private static string List(string item, int count) => $"[{string.Join(',', Enumerable.Repeat(item, count))}]";

    private static string Many(string item, int count) =>
        $"{{{string.Join(',', Enumerable.Range(0, count).Select(i => item.Replace("{0}", $"{i}", StringComparison.Ordinal)))}}}";
}
