using System.Threading.Channels;
using Serving.Inference;
using Serving.Server.Access;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Logging;
using Serving.Server.Models;

namespace Serving.Server.Comparisons;

/// <summary>Lets several models continue one prompt, side by side and with one seed. Thread-safe.</summary>
internal sealed class PromptComparer(EnsembleEngines engines)
{
    /// <param name="request">With 2 to 8 models and a prompt.</param>
    /// <param name="http">Who asks; the tokens count against its key.</param>
    /// <param name="maxChoices">The most answers of a request.</param>
    /// <param name="cancellation">Ends all of them.</param>
    /// <exception cref="ApiException">A model cannot answer, or the request does not fit one.</exception>
    public async Task<GeneratedComparison> CompareAsync(CompareRequest request, HttpContext http, int maxChoices, CancellationToken cancellation)
    {
        Caller caller = Caller.Of(http);
        long seed = request.Seed ?? Random.Shared.NextInt64();
        List<RentedModel> rented = [];
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            for (int i = 0; i < request.Models!.Count; i++)
                rented.Add(await RentAsync(request.Models[i], i));
            CompletionPlan[] plans = [.. rented.Select((model, i) =>
                new CompletionValidator(model.Model, maxChoices).Validate(
                    request.ToCompletion(model.Model.Id, seed), caller with { RequestId = $"{caller.RequestId}/{i}", IsStrict = false }))];
            KeyUse.Of(http)?.Take(plans.Sum(plan => plan.MostTokens), plans.Length);
            GeneratedEntry[] entries = await Task.WhenAll(plans.Select(plan => GenerateAsync(plan, ending)).ToArray());
            RequestFacts facts = RequestFacts.Of(http);
            (facts.PromptTokens, facts.CompletionTokens) = (plans.Sum(plan => plan.PromptTokens), entries.Sum(entry => entry.Tokens.Count));
            return new GeneratedComparison(entries, FirstDivergence(entries, AreOfOneTokenizer(plans)));
        }
        finally
        {
            rented.ForEach(model => model.Dispose());
        }
    }

    private async ValueTask<RentedModel> RentAsync(string? name, int index)
    {
        try
        {
            return await engines.RentAsync(name, null);
        }
        catch (ApiException refused)
        {
            throw new ApiException(refused.Failure.About($"models[{index}]"));
        }
    }

    // The first that fails ends the others: nobody would read them.
    private static async Task<GeneratedEntry> GenerateAsync(CompletionPlan plan, CancellationTokenSource ending)
    {
        try
        {
            ChannelReader<GenerationEvent> events = plan.Model.Engine.Submit(plan.Choices[0].Request, ending.Token);
            return await ReadAsync(plan.Model, events);
        }
        catch
        {
            await ending.CancelAsync();
            throw;
        }
    }

    private static async Task<GeneratedEntry> ReadAsync(ServedModel model, ChannelReader<GenerationEvent> events)
    {
        var writer = new LogprobsWriter(model.Tokenizer);
        var text = new System.Text.StringBuilder();
        List<string> tokens = [];
        List<int> ids = [];
        List<float> logprobs = [];
        await foreach (GenerationEvent step in events.ReadAllAsync(CancellationToken.None))
        {
            if (step is TokenGenerated token)
            {
                CompletionLogprobs named = writer.Token(token);
                tokens.Add(named.Tokens[0]);
                logprobs.Add(named.TokenLogprobs[0]!.Value);
                ids.Add(token.TokenId);
                text.Append(token.Text);
            }
            else if (step is GenerationFinished end)
            {
                text.Append(end.Text);
                return new GeneratedEntry(model.Id, model.Fingerprint, text.ToString(), tokens, ids, logprobs, end.ReasonName()!, new ComparisonTiming(
                    end.Usage.QueueSeconds, end.Usage.FirstTokenSeconds, end.Usage.TotalSeconds))
                {
                    Ensemble = EnsembleWeights.Of(model.Ensemble),
                };
            }
        }
        throw new GenerationFailedException(null);
    }

    private static bool AreOfOneTokenizer(CompletionPlan[] plans) =>
        plans.All(plan => plan.Model.Tokenizer.Fingerprint == plans[0].Model.Tokenizer.Fingerprint);

    private static int? FirstDivergence(GeneratedEntry[] entries, bool byId)
    {
        int shortest = entries.Min(entry => entry.Tokens.Count);
        for (int i = 0; i < shortest; i++)
        {
            bool same = entries.All(entry => byId ? entry.TokenIds[i] == entries[0].TokenIds[i] : entry.Tokens[i] == entries[0].Tokens[i]);
            if (!same)
                return i;
        }
        return entries.All(entry => entry.Tokens.Count == shortest) ? null : shortest;
    }
}
