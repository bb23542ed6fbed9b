using System.Diagnostics;
using Serving.Inference.Devices;
using Serving.Inference.Scheduling;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>Loads one model or ensemble, continues one text with it and leaves.</summary>
/// <param name="Output">Where the text goes.</param>
/// <param name="Progress">Where everything else goes.</param>
/// <param name="ShowTimings">Whether to end with a line of figures.</param>
internal sealed record GenerateSession(TextWriter Output, TextWriter Progress, bool ShowTimings)
{
    /// <summary>Where the model computes; null = on this machine's processors.</summary>
    public IDevice? Device { get; init; }

    /// <param name="catalog">The models there are.</param>
    /// <param name="id">The one to use.</param>
    /// <param name="request">What to generate, but for the length.</param>
    /// <param name="maxTokens">The most tokens to generate, less where the context ends.</param>
    /// <param name="cancellationToken">Ends generation; the text so far stays.</param>
    public async Task RunAsync(
        ModelCatalog catalog, string id, CompletionRequest request, int maxTokens, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        await using var models = new LocalModels(catalog, new EngineOptions(), Device);
        ServedModel model = models.Open(id);
        TimeSpan loading = Stopwatch.GetElapsedTime(start);
        CompletionPlan plan = PlanFor(model, request, maxTokens);
        await using GenerationRun<CompletionChoice> run = await GenerationRun<CompletionChoice>.StartAsync(
            plan, choice => new ChoiceProgress(choice, model.Tokenizer).Step, cancellationToken);
        TimeSpan? first = null;
        start = Stopwatch.GetTimestamp();
        await foreach (CompletionChoice piece in run.Pieces.ReadAllAsync(CancellationToken.None))
        {
            first ??= Stopwatch.GetElapsedTime(start);
            await Output.WriteAsync(piece.Text.AsMemory(), CancellationToken.None);
            await Output.FlushAsync(CancellationToken.None);
        }
        await Output.WriteLineAsync();
        if (ShowTimings)
            await Progress.WriteLineAsync(Summary(run, loading, first ?? TimeSpan.Zero, Stopwatch.GetElapsedTime(start)));
    }

    private static CompletionPlan PlanFor(ServedModel model, CompletionRequest request, int maxTokens)
    {
        try
        {
            return new CompletionValidator(model, maxChoices: 1, maxTokens).Validate(request, new Caller("generate", IsStrict: true));
        }
        catch (ApiException invalid)
        {
            throw new CommandLineException(ExitCode.Usage, invalid.Message, "the command line", "'generate --help' lists options and ranges.");
        }
    }

    private static string Summary(GenerationRun<CompletionChoice> run, TimeSpan loading, TimeSpan first, TimeSpan total)
    {
        CompletionUsage usage = run.Usage;
        double rate = (usage.CompletionTokens - 1) / Math.Max(0.001, (total - first).TotalSeconds);
        return $"[{usage.PromptTokens} + {usage.CompletionTokens} tokens; "
            + $"loaded in {loading.TotalSeconds:0.00} s, "
            + $"first token after {first.TotalMilliseconds:0} ms, "
            + $"then {Math.Max(0, rate):0} tokens/s]";
    }
}
