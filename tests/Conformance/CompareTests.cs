using System.Net.Http.Json;
using System.Text.Json;

namespace Serving.Conformance;

/// <summary><c>/v1/compare</c> and lm-evaluation-harness measure the same: what the harness sums of echoed log-probabilities, compare
/// scores by itself, beside the engine.</summary>
[Collection(nameof(Target))]
public sealed class CompareTests(Target target)
{
    private const double Tolerance = 1e-5;

    private static readonly (string Context, string Continuation)[] Samples =
    [
        ("The old house", " stood on the hill"), ("It was a dark", " night"), ("“Well,” said", " he, “I do not know.”"), ("A", " man and his wife were there."),
    ];

    // The harness cuts the whole text and counts the context's tokens; ensembles and sums are models to it.
    [Fact]
    public async Task Loglikelihood_OfEveryKindOfModel_IsWhatCompareScores()
    {
        string[] models = await ModelsAsync();
        foreach ((string context, string continuation) in Samples)
        {
            JsonElement scored = await target.PostAsync("v1/compare", new { models, text = context + continuation });
            int[] ids = await IdsAsync(context + continuation);
            int start = (await IdsAsync(context)).Length;
            foreach ((string model, int i) in models.Select((model, i) => (model, i)))
            {
                JsonElement entry = scored.GetProperty("models")[i];
                Assert.Equal(model, entry.GetProperty("model").GetString());
                Assert.Equal(ids, entry.GetProperty("token_ids").Deserialize<int[]>());
                double?[] harness = await EchoedAsync(model, ids);
                double?[] compared = entry.GetProperty("token_logprobs").Deserialize<double?[]>()!;
                Assert.Equal(harness.Length, compared.Length);
                Assert.Null(compared[0]);
                for (int token = 1; token < ids.Length; token++)
                    Assert.Equal(harness[token]!.Value, compared[token]!.Value, Tolerance);
                Assert.Equal(harness[start..].Sum()!.Value, compared[start..].Sum()!.Value, Tolerance);
                Assert.Equal(harness[1..].Sum()!.Value, entry.GetProperty("log_probability").GetDouble(), Tolerance);
            }
        }
    }

    // loglikelihood_rolling puts the token that begins texts, or else the one that ends them, before the text and sums what is behind it.
    [Fact]
    public async Task LoglikelihoodRolling_WithItsPrefix_IsTheTextsLogProbability()
    {
        const string Text = "It was a dark night, and the wind was in the trees.";
        JsonElement info = await target.Http.GetFromJsonAsync<JsonElement>($"tokenizer_info?model={Target.Model}");
        string prefix = info.GetProperty("bos_token").GetString() ?? info.GetProperty("eos_token").GetString()!;
        int[] ids = [.. await IdsAsync(prefix), .. await IdsAsync(Text)];
        JsonElement scored = await target.PostAsync("v1/compare", new { models = (string[])[Target.Model], text = prefix + Text, special_tokens = "parse" });
        JsonElement entry = scored.GetProperty("models")[0];
        Assert.Equal(ids, entry.GetProperty("token_ids").Deserialize<int[]>());
        double sum = (await EchoedAsync(Target.Model, ids))[1..].Sum()!.Value;
        Assert.Equal(sum, entry.GetProperty("log_probability").GetDouble(), Tolerance);
        Assert.Equal(Math.Exp(-sum / (ids.Length - 1)), entry.GetProperty("perplexity").GetDouble(), Tolerance * 10);
        Assert.Equal(-sum / Math.Log(2) / Text.Length, entry.GetProperty("bits_per_character").GetDouble(), Tolerance);
    }

    [Fact]
    public async Task GenerateUntil_Compared_IsTheCompletion()
    {
        string[] models = await ModelsAsync();
        var request = new { prompt = "The old house", max_tokens = 24, temperature = 0, stop = "\n" };
        JsonElement compared = await target.PostAsync("v1/compare", new { models, request.prompt, request.max_tokens, request.temperature, request.stop });
        foreach ((string model, int i) in models.Select((model, i) => (model, i)))
        {
            JsonElement alone = (await target.PostAsync("v1/completions", new
            {
                model,
                request.prompt,
                request.max_tokens,
                request.temperature,
                request.stop,
                logprobs = 0,
            })).GetProperty("choices")[0];
            JsonElement entry = compared.GetProperty("models")[i];
            Assert.Equal(alone.GetProperty("text").GetString(), entry.GetProperty("text").GetString());
            Assert.Equal(alone.GetProperty("logprobs").GetProperty("token_logprobs").GetRawText(), entry.GetProperty("token_logprobs").GetRawText());
        }
    }

    // The model, and what can be made of it and others with its tokenizer: a sum, and every named ensemble.
    private async Task<string[]> ModelsAsync()
    {
        JsonElement[] all = [.. (await target.Http.GetFromJsonAsync<JsonElement>("v1/models")).GetProperty("data").EnumerateArray()];
        string tokenizer = TokenizerOf(all.Single(model => model.GetProperty("id").GetString() == Target.Model))!;
        JsonElement[] others = [.. all.Where(model => TokenizerOf(model) == tokenizer && model.GetProperty("id").GetString() != Target.Model)];
        string[] ensembles = [.. others.Where(model => model.GetProperty("kind").GetString() == "ensemble").Select(model => model.GetProperty("id").GetString()!).Take(2)];
        string[] sums = [.. others.Where(model => model.GetProperty("kind").GetString() == "model").Select(model => $"{Target.Model}+{model.GetProperty("id").GetString()}").Take(1)];
        return [Target.Model, .. ensembles, .. sums, Target.Model];
    }

    private static string? TokenizerOf(JsonElement model) => model.GetProperty("tokenizer_fingerprint").GetString();

    // The harness's request; the entry of the generated token is cut off, as it does.
    private async Task<double?[]> EchoedAsync(string model, int[] ids)
    {
        JsonElement answer = await target.PostAsync("v1/completions", new
        {
            model,
            prompt = (int[][])[ids],
            temperature = 0,
            max_tokens = 1,
            logprobs = 1,
            seed = 1234,
            echo = true,
        });
        return answer.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs").Deserialize<double?[]>()![..^1];
    }

    private async Task<int[]> IdsAsync(string text) =>
        (await target.PostAsync("tokenize", new { model = Target.Model, prompt = text, add_special_tokens = false })).GetProperty("tokens").Deserialize<int[]>()!;
}
