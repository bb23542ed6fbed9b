using Serving.Inference.Scheduling;
using Serving.Server.CommandLine;
using Serving.Server.Ensembles;
using Serving.Server.Evaluation;
using Serving.Server.Models;
using Serving.Server.Tests.Ensembles;

namespace Serving.Server.Tests.Evaluation;

public sealed class EvaluationTests : IAsyncLifetime
{
    private readonly ExpertsFolder _folder = ExpertsFolder.Create().WithEnsembles("""{"one":{"experts":[{"model":"a"},{"model":"b","weight":0}]}}""");
    private LocalModels _models = null!;

    public ValueTask InitializeAsync()
    {
        _models = new LocalModels(ModelRoots.Open(_folder.Path), new EngineOptions());
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _models.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public void Text_LongerThanTheContext_IsScoredInWindowsThatOverlapByHalf()
    {
        string text = string.Concat(Enumerable.Range(0, 60).Select(i => (char)('a' + (i * 7 % 26))));
        TextResult[] results = Evaluate(text, window: 16, "a", "a+b", "one");
        Cast cast = _models.Load("a");
        int[] tokens = cast.Members[0].Tokenizer.Encode(text);
        // By hand: every token from the window that has the most before it.
        double nats = 0;
        for (int token = 1; token < tokens.Length; token++)
        {
            int start = token <= 16 ? 0 : (token - 9) / 8 * 8;
            nats -= Logprob(cast.Members[0], tokens[start..(token + 1)]);
        }
        Assert.Equal(nats / Math.Log(2) / text.Length, results[0].BitsPerCharacter.Value, 1e-5);
        Assert.Equal(Math.Exp(nats / (tokens.Length - 1)), results[0].Perplexity, 1e-3);
        Assert.Equal((text.Length, tokens.Length, 0), (results[0].Characters, results[0].Tokens, results[0].UnknownTokens));
        Assert.True(results[0].BitsPerCharacter.Margin > 0);
        Assert.NotEqual(results[0].BitsPerCharacter, results[1].BitsPerCharacter);
        Assert.Equal(results[0].BitsPerCharacter, results[2].BitsPerCharacter);
    }

    [Fact]
    public void Text_TooShort_IsRefused() => Assert.Throws<InvalidDataException>(() => Evaluate("a", 16, "a"));

    [Fact]
    public async Task Choices_ByLikelihood_TakesTheLikeliestLetter()
    {
        ServedModel model = _models.Open("a");
        ChoiceTask[] tasks = [.. Enumerable.Range(0, 2).Select(answer => new ChoiceTask("?", ["1", "2"], answer))];
        int[] prompt = model.Tokenizer.Encode(tasks[0].Prompt(ChoiceStyle.OneLine));
        Assert.True(prompt.Length < model.ContextTokens - 2);
        var evaluation = new ChoiceEvaluation(model, ChoiceStyle.OneLine);
        // The same question with each of the two answers: exactly one is right.
        Assert.Equal(0.5, (await evaluation.RankAsync(tasks, TestContext.Current.CancellationToken)).Value);
        double[] scores = [.. Enumerable.Range(0, 2).Select(choice => Logprob(model, [.. prompt, .. model.Tokenizer.Encode($" {(char)('A' + choice)}")], 2))];
        ChoiceTask likeliest = tasks[Array.IndexOf(scores, scores.Max())];
        Assert.Equal(1, (await evaluation.RankAsync([likeliest], TestContext.Current.CancellationToken)).Value);
    }

    [Fact]
    public async Task Choices_BySampling_SameSeedSameShare()
    {
        var evaluation = new ChoiceEvaluation(_models.Open("a+b"), ChoiceStyle.Lines);
        ChoiceTask[] tasks = [new("?", ["1", "2"], 0), new("!", ["1", "2"], 1)];
        Estimate first = await evaluation.SampleAsync(tasks, 20, 7, TestContext.Current.CancellationToken);
        Assert.Equal(first, await evaluation.SampleAsync(tasks, 20, 7, TestContext.Current.CancellationToken));
        Assert.InRange(first.Value, 0, 1);
        Assert.Equal(0, evaluation.CountSkipped(tasks));
        Assert.Equal(1, evaluation.CountSkipped([new(new string('?', 100), ["1", "2"], 0)]));
    }

    [Fact]
    public void Report_Markdown_IsATableOfEach()
    {
        var report = new EvaluationReport(
            [new TextResult("m", "t.txt", 10, 5, 0, 12.345, new Estimate(1.5, 0.25))],
            [new ChoiceResult("m", "q.jsonl", 8, 1, new Estimate(0.25, 0.1), null, 0.25)]);
        var output = new StringWriter { NewLine = "\n" };
        report.WriteMarkdown(output);
        Assert.Equal("""
            | model | text | bits per character | perplexity | tokens | unknown |
            |---|---|---|---|---|---|
            | m | t.txt | 1.5000 ± 0.2500 | 12.35 | 5 | 0 |

            | model | task | sampled % | likeliest % | chance % | questions | skipped |
            |---|---|---|---|---|---|---|
            | m | q.jsonl | 25.00 ± 10.00 | - | 25.0 | 8 | 1 |


            """, output.ToString().ReplaceLineEndings("\n"));
    }

    private TextResult[] Evaluate(string text, int window, params string[] names)
    {
        using var evaluation = new TextEvaluation([.. names.Select(_models.Load)], window);
        return [.. evaluation.Run("text", text, _ => { }, TestContext.Current.CancellationToken)];
    }

    // Through a whole engine: what scoring must agree with.
    private static double Logprob(ServedModel model, int[] tokens, int last = 1)
    {
        var events = model.Engine.Submit(
            new Inference.GenerationRequest { Id = "test", PromptTokens = tokens, MaxTokens = 0, PromptLogprobs = 0 }, CancellationToken.None);
        while (events.WaitToReadAsync().AsTask().Result)
        {
            if (events.TryRead(out Inference.GenerationEvent? step) && step is Inference.PromptScored scored)
                return scored.Tokens.TakeLast(last).Sum(token => (double)token.Logprob!.Value);
        }
        throw new InvalidOperationException("The prompt was not scored.");
    }
}
