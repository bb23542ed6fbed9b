using Serving.Inference;
using Serving.Server.Ensembles;
using Serving.Server.Hosting;
using Serving.Server.Json;

namespace Serving.Server.Completions;

/// <summary>An answer in the shape of <c>/v1/completions</c>, the same whole or streamed.</summary>
internal sealed class CompletionAnswer(HttpContext http, CompletionPlan plan, ServingOptions options, CancellationToken shutdown)
    : GenerationAnswer<CompletionChoice>(http, plan, options, shutdown)
{
    private readonly string _id = $"cmpl-{Guid.CreateVersion7():n}";
    private readonly ChoiceCollector[] _choices = [.. plan.Choices.Select(_ => new ChoiceCollector())];

    protected override Func<GenerationEvent, CompletionChoice> Follow(CompletionPlan.Choice choice) =>
        new ChoiceProgress(choice, Plan.Model.Tokenizer, Plan.Model.Ensemble, Plan.HasTokenIds).Step;

    protected override void Send(CompletionChoice piece, EventStream events) =>
        events.Data(Completion([piece], usage: null), ServerJson.Contracts.Completion);

    protected override void SendUsage(CompletionUsage usage, EventStream events) =>
        events.Data(Completion([], usage), ServerJson.Contracts.Completion);

    protected override void Collect(CompletionChoice piece) => _choices[piece.Index].Add(piece);

    protected override Task WriteWholeAsync(HttpResponse response, GenerationRun<CompletionChoice> run) =>
        response.WriteAnswerAsync(Completion([.. Best(run).Select((choice, index) => _choices[choice].ToChoice(index, Plan.HasLogprobs))],
            run.Usage), ServerJson.Contracts.Completion, WriteTimeout);

    // Of each prompt's candidates those with the best scores, best first.
    private IEnumerable<int> Best(GenerationRun<CompletionChoice> run)
    {
        IEnumerable<int> all = Enumerable.Range(0, _choices.Length);
        return Plan.Candidates == Plan.Answers
            ? all
            : all.Chunk(Plan.Candidates).SelectMany(candidates => candidates.OrderByDescending(run.MeanLogprob).Take(Plan.Answers));
    }

    private Completion Completion(IReadOnlyList<CompletionChoice> choices, CompletionUsage? usage) => new()
    {
        Id = _id,
        Created = Created,
        Model = Plan.Model.Id,
        SystemFingerprint = Plan.Model.Fingerprint,
        Ensemble = EnsembleWeights.Of(Plan.Model.Ensemble),
        Choices = choices,
        Usage = usage,
    };
}
