using System.Text.Json;

namespace Serving.Conformance;

/// <summary>
/// The requests of lm-evaluation-harness (<c>local-completions</c>, 0.4.13) and what it reads of the answers, to the letter:
/// <c>token_logprobs[ctxlen:-1]</c> is summed, and <c>is_greedy</c> compares floats for equality.
/// </summary>
[Collection(nameof(Target))]
public sealed class EvaluationHarnessTests(Target target)
{
    private static readonly (string Context, string Continuation)[] Samples =
    [
        ("The old house", " stood on the hill"), ("It was a dark", " night"), ("“Well,” said", " he, “I do not know.”"), ("A", " man and his wife were there."),
    ];

    // Both are sent in the wild: releases before 0.4.9 sent 0.
    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task Loglikelihood_BatchOfIds_SumsToTheServersOwnScore(int maxTokens)
    {
        int[][] contexts = [.. await Task.WhenAll(Samples.Select(sample => IdsAsync(sample.Context)))];
        int[][] prompts = [.. (await Task.WhenAll(Samples.Select(sample => IdsAsync(sample.Continuation)))).Select((ids, i) => (int[])[.. contexts[i], .. ids])];
        JsonElement answer = await target.PostAsync("v1/completions", new
        {
            model = Target.Model,
            prompt = prompts,
            temperature = 0,
            max_tokens = maxTokens,
            logprobs = 1,
            seed = 1234,
            echo = true,
        });
        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray().OrderBy(choice => choice.GetProperty("index").GetInt32())];
        for (int i = 0; i < Samples.Length; i++)
        {
            JsonElement logprobs = choices[i].GetProperty("logprobs");
            JsonElement[] all = [.. logprobs.GetProperty("token_logprobs").EnumerateArray()];
            Assert.Equal(prompts[i].Length + maxTokens, all.Length);
            Assert.Equal(JsonValueKind.Null, all[0].ValueKind);
            int end = prompts[i].Length;
            double sum = all[contexts[i].Length..end].Sum(value => value.GetDouble());
            Assert.Equal(await ConditionalAsync(prompts[i], contexts[i].Length), sum, 1e-5);
            // is_greedy: equality of floats that were printed twice.
            JsonElement[] top = [.. logprobs.GetProperty("top_logprobs").EnumerateArray()];
            for (int token = contexts[i].Length; token < end; token++)
            {
                double[] values = [.. top[token].EnumerateObject().Select(entry => entry.Value.GetDouble())];
                Assert.Equal(values.Length, top[token].EnumerateObject().Select(entry => entry.Name).Distinct().Count());
                Assert.True(all[token].GetDouble() <= values.Max());
                Assert.Contains(all[token].GetDouble(), values);
            }
        }
    }

    [Fact]
    public async Task Loglikelihood_GreedyContinuation_IsGreedy()
    {
        int[] context = await IdsAsync("The old house");
        JsonElement greedy = await CompleteAsync(new { model = Target.Model, prompt = context, max_tokens = 6, temperature = 0, logprobs = 1 });
        int[] continuation = await IdsAsync(greedy.GetProperty("text").GetString()!);
        int[] prompt = [.. context, .. continuation];
        JsonElement scored = (await CompleteAsync(new
        {
            model = Target.Model,
            prompt = (int[][])[prompt],
            temperature = 0,
            max_tokens = 1,
            logprobs = 1,
            seed = 1234,
            echo = true,
        })).GetProperty("logprobs");
        for (int i = context.Length; i < prompt.Length; i++)
        {
            Assert.Equal(scored.GetProperty("token_logprobs")[i].GetDouble(),
                scored.GetProperty("top_logprobs")[i].EnumerateObject().Max(entry => entry.Value.GetDouble()));
        }
    }

    [Fact]
    public async Task Loglikelihood_TextPrompt_IsThatOfItsIds()
    {
        JsonElement text = await CompleteAsync(new { model = Target.Model, prompt = "The old house", temperature = 0, max_tokens = 1, logprobs = 1, echo = true });
        JsonElement ids = await CompleteAsync(new { model = Target.Model, prompt = await IdsAsync("The old house"), temperature = 0, max_tokens = 1, logprobs = 1, echo = true });
        Assert.Equal(ids.GetProperty("logprobs").GetRawText(), text.GetProperty("logprobs").GetRawText());
    }

    [Fact]
    public async Task GenerateUntil_ManyStops_EndsBeforeTheFirst()
    {
        JsonElement answer = await CompleteAsync(new
        {
            prompt = (string[])["The old house"],
            model = Target.Model,
            max_tokens = 64,
            temperature = 0,
            stop = (string[])["\n\n", "</s>", "<|im_end|>", "Question:", "e"],
            seed = 1234,
            do_sample = false,
        });
        Assert.DoesNotContain("e", answer.GetProperty("text").GetString());
    }

    [Fact]
    public async Task GenerateUntil_NoStops_IsTaken() => await CompleteAsync(new
    {
        prompt = "The old house",
        model = Target.Model,
        max_tokens = 4,
        temperature = 0,
        stop = Array.Empty<string>(),
        seed = 1234,
    });

    // tokenizer_backend=remote.
    [Fact]
    public async Task RemoteTokenizer_RoundTrip_IsTheText()
    {
        JsonElement info = JsonDocument.Parse(await target.Http.GetStringAsync("tokenizer_info")).RootElement;
        Assert.NotEmpty(info.GetProperty("eos_token").GetString()!);
        JsonElement tokens = (await target.PostAsync("tokenize", new { prompt = "The old house", add_special_tokens = false })).GetProperty("tokens");
        Assert.Equal("The old house", (await target.PostAsync("detokenize", new { tokens })).GetProperty("prompt").GetString());
        // How the harness learns which token ends a text, and puts it before what has no context.
        string end = info.GetProperty("eos_token").GetString()!;
        JsonElement one = Assert.Single((await target.PostAsync("tokenize", new { prompt = end, add_special_tokens = false })).GetProperty("tokens").EnumerateArray());
        Assert.Equal(end, (await target.PostAsync("detokenize", new { tokens = (int[])[one.GetInt32()] })).GetProperty("prompt").GetString());
    }

    // The model type "gguf" reads these four.
    [Fact]
    public async Task Gguf_EchoOfAText_HasTheFourLists()
    {
        JsonElement logprobs = (await CompleteAsync(new { model = Target.Model, prompt = "The old house", logprobs = 10, temperature = 0, max_tokens = 1, echo = true }))
            .GetProperty("logprobs");
        int count = logprobs.GetProperty("tokens").GetArrayLength();
        Assert.All((string[])["token_logprobs", "top_logprobs", "text_offset"], list => Assert.Equal(count, logprobs.GetProperty(list).GetArrayLength()));
    }

    [Fact]
    public async Task Authorization_EmptyBearer_IsNoReasonToRefuse()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "v1/models");
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer ");
        using HttpResponseMessage response = await target.Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode || Target.Key != "none");
    }

    // Each token after the context by itself, as the next token of what stands before it.
    private async Task<double> ConditionalAsync(int[] prompt, int context)
    {
        double sum = 0;
        for (int i = context; i < prompt.Length; i++)
        {
            JsonElement next = await CompleteAsync(new
            {
                model = Target.Model,
                prompt = prompt[..i],
                max_tokens = 1,
                temperature = 0,
                logprobs = 0,
                ignore_eos = true,
                logit_bias = new Dictionary<string, double> { [$"{prompt[i]}"] = 100 },
            });
            sum += next.GetProperty("logprobs").GetProperty("token_logprobs")[0].GetDouble();
        }
        return sum;
    }

    private async Task<JsonElement> CompleteAsync(object body) => (await target.PostAsync("v1/completions", body)).GetProperty("choices")[0];

    private async Task<int[]> IdsAsync(string text) =>
        (await target.PostAsync("tokenize", new { model = Target.Model, prompt = text, add_special_tokens = false })).GetProperty("tokens").Deserialize<int[]>()!;
}
