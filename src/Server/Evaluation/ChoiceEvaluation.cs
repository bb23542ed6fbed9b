using System.Threading.Channels;
using Serving.Inference;
using Serving.Inference.Sampling;
using Serving.Server.Models;

namespace Serving.Server.Evaluation;

/// <summary>Lets a model answer multiple-choice questions in the papers' format, by drawing the answer as their authors did, and by
/// the likelihoods of the letters.</summary>
/// <param name="model">Who answers.</param>
/// <param name="style">How questions are written.</param>
internal sealed class ChoiceEvaluation(ServedModel model, ChoiceStyle style)
{
    private const int AtOnce = 128; // requests that wait or run in the engine

    /// <summary>The share of right answers, drawn at temperature 1, over several runs of all questions.</summary>
    /// <param name="tasks">The questions.</param>
    /// <param name="runs">At least 2, for the interval.</param>
    /// <param name="seed">Of the first question of the first run.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<Estimate> SampleAsync(IReadOnlyList<ChoiceTask> tasks, int runs, ulong seed, CancellationToken cancellation)
    {
        int[][] prompts = [.. tasks.Select(task => model.Tokenizer.Encode(task.Prompt(style)))];
        int length = style == ChoiceStyle.OneLine ? 1 : 2;
        var right = new int[runs];
        using var turn = new SemaphoreSlim(AtOnce);
        await Task.WhenAll(Enumerable.Range(0, runs * tasks.Count).Select(async trial =>
        {
            (int run, int task) = Math.DivRem(trial, tasks.Count);
            if (!Fits(prompts[task], length))
                return;
            await turn.WaitAsync(cancellation);
            try
            {
                string answer = await AnswerAsync(prompts[task], length, seed + (ulong)trial, cancellation);
                if (answer.Trim() is [var first, ..] && char.ToUpperInvariant(first) == ChoiceTask.Letter(tasks[task].Answer))
                    Interlocked.Increment(ref right[run]);
            }
            finally
            {
                turn.Release();
            }
        }));
        return Estimate.OfMean([.. right.Select(count => (double)count / tasks.Count)]);
    }

    /// <summary>The share of questions whose right letter, after a space, is the likeliest of the letters.</summary>
    public async Task<Estimate> RankAsync(IReadOnlyList<ChoiceTask> tasks, CancellationToken cancellation)
    {
        int right = 0;
        using var turn = new SemaphoreSlim(AtOnce / 4);
        await Task.WhenAll(tasks.Select(async task =>
        {
            int[] prompt = model.Tokenizer.Encode(task.Prompt(style));
            await turn.WaitAsync(cancellation);
            try
            {
                double[] scores = await Task.WhenAll(Enumerable.Range(0, task.Choices.Count).Select(choice =>
                    ScoreAsync(prompt, model.Tokenizer.Encode($" {ChoiceTask.Letter(choice)}"), cancellation)));
                if (Array.IndexOf(scores, scores.Max()) == task.Answer && scores[task.Answer] > double.NegativeInfinity)
                    Interlocked.Increment(ref right);
            }
            finally
            {
                turn.Release();
            }
        }));
        return Estimate.OfShare(right, tasks.Count);
    }

    /// <summary>Questions that do not fit the context.</summary>
    public int CountSkipped(IReadOnlyList<ChoiceTask> tasks) =>
        tasks.Count(task => !Fits(model.Tokenizer.Encode(task.Prompt(style)), extra: 2));

    private bool Fits(int[] prompt, int extra) => prompt.Length + extra <= model.ContextTokens;

    private async Task<string> AnswerAsync(int[] prompt, int length, ulong seed, CancellationToken cancellation)
    {
        string text = "";
        GenerationRequest request = new()
        {
            Id = "eval",
            PromptTokens = prompt,
            MaxTokens = length,
            Sampling = new SamplingOptions(1, 1, 0, 0, seed),
            IgnoreEndOfText = true,
            Blend = model.Ensemble?.Blend,
        };
        await foreach (GenerationEvent step in Ask(request, cancellation).ReadAllAsync(CancellationToken.None))
        {
            text += step switch
            {
                TokenGenerated token => token.Text,
                GenerationFinished { Reason: FinishReason.Error, Error: { } fault } => throw fault,
                GenerationFinished end => end.Text,
                _ => "",
            };
        }
        cancellation.ThrowIfCancellationRequested();
        return text;
    }

    private async Task<double> ScoreAsync(int[] prompt, int[] continuation, CancellationToken cancellation)
    {
        if (!Fits(prompt, continuation.Length))
            return double.NegativeInfinity;
        double score = 0;
        GenerationRequest request = new()
        {
            Id = "eval",
            PromptTokens = [.. prompt, .. continuation],
            MaxTokens = 0,
            PromptLogprobs = 0,
            Blend = model.Ensemble?.Blend,
        };
        await foreach (GenerationEvent step in Ask(request, cancellation).ReadAllAsync(CancellationToken.None))
        {
            if (step is PromptScored scored)
                score = scored.Tokens.TakeLast(continuation.Length).Sum(token => (double)token.Logprob!.Value);
            else if (step is GenerationFinished { Reason: FinishReason.Error, Error: { } fault })
                throw fault;
        }
        cancellation.ThrowIfCancellationRequested();
        return score;
    }

    private ChannelReader<GenerationEvent> Ask(GenerationRequest request, CancellationToken cancellation) =>
        model.Engine.Submit(request, cancellation);
}
