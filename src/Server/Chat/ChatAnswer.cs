using System.Text;
using Serving.Inference;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Hosting;
using Serving.Server.Json;

namespace Serving.Server.Chat;

/// <summary>An answer in the shape of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatAnswer(HttpContext http, CompletionPlan plan, ServingOptions options, CancellationToken shutdown)
    : GenerationAnswer<ChatPiece>(http, plan, options, shutdown)
{
    private readonly string _id = $"chatcmpl-{Guid.CreateVersion7():n}";
    private readonly Collected[] _choices = [.. plan.Choices.Select(_ => new Collected())];
    private readonly TokenNames _names = new(plan.Model.Tokenizer);

    protected override Func<GenerationEvent, ChatPiece> Follow(CompletionPlan.Choice choice) => new ChatProgress(choice, _names).Step;

    protected override void Send(ChatPiece piece, EventStream events)
    {
        ChatLogprobs? logprobs = piece.Logprob is { } entry ? new ChatLogprobs([entry]) : null;
        var delta = new ChatDelta(piece.IsFirst ? "assistant" : null, piece.Text);
        events.Data(Chunk([new ChatChunkChoice(piece.Choice, delta, logprobs, piece.FinishReason)], usage: null), ServerJson.Contracts.ChatChunk);
    }

    protected override void SendUsage(CompletionUsage usage, EventStream events) =>
        events.Data(Chunk([], usage), ServerJson.Contracts.ChatChunk);

    protected override void Collect(ChatPiece piece)
    {
        Collected choice = _choices[piece.Choice];
        choice.Text.Append(piece.Text);
        choice.FinishReason = piece.FinishReason;
        if (piece.Logprob is { } entry)
            choice.Logprobs.Add(entry);
    }

    protected override Task WriteWholeAsync(HttpResponse response, GenerationRun<ChatPiece> run)
    {
        var answer = new ChatCompletion
        {
            Id = _id,
            Created = Created,
            Model = Plan.Model.Id,
            SystemFingerprint = Plan.Model.Fingerprint,
            Ensemble = EnsembleWeights.Of(Plan.Model.Ensemble),
            Choices = [.. _choices.Select((choice, i) => new ChatChoice(i, new ChatAnswerMessage(choice.Text.ToString()),
                Plan.HasLogprobs ? new ChatLogprobs(choice.Logprobs) : null, choice.FinishReason))],
            Usage = run.Usage,
        };
        return response.WriteAnswerAsync(answer, ServerJson.Contracts.ChatCompletion, WriteTimeout);
    }

    private ChatChunk Chunk(IReadOnlyList<ChatChunkChoice> choices, CompletionUsage? usage) => new()
    {
        Id = _id,
        Created = Created,
        Model = Plan.Model.Id,
        SystemFingerprint = Plan.Model.Fingerprint,
        Ensemble = EnsembleWeights.Of(Plan.Model.Ensemble),
        Choices = choices,
        Usage = usage,
    };

    private sealed class Collected
    {
        public StringBuilder Text { get; } = new();

        public List<ChatTokenLogprob> Logprobs { get; } = [];

        public string? FinishReason { get; set; }
    }
}
