using Serving.Glyphs.Tokens;
using Serving.Server.Access;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Logging;
using Serving.Server.Models;

namespace Serving.Server.Comparisons;

/// <summary>
/// Scores one text under several models. Members that models have in common compute once. It computes beside the engines, one
/// comparison at a time; others wait. Thread-safe.
/// </summary>
internal sealed class TextComparer(ModelCatalog catalog, MemoryGate memory) : IDisposable
{
    private const int MaxWaiting = 16;

    private readonly SemaphoreSlim _turn = new(1);
    private int _waiting;

    /// <param name="request">With 1 to 8 models and a text.</param>
    /// <param name="http">Who asks; the tokens count against its key.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ApiException">A model cannot answer, the text does not fit one, or too many comparisons wait.</exception>
    public async Task<ScoredComparison> CompareAsync(CompareRequest request, HttpContext http, CancellationToken cancellation)
    {
        memory.ThrowIfClosed();
        TextGroup[] groups = Plan(request);
        int tokens = groups.Sum(group => group.Tokens.Length * group.Casts.Count);
        KeyUse.Of(http)?.Take(tokens, answers: 1);
        RequestFacts.Of(http).PromptTokens = tokens;
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            throw new ApiException(ErrorTable.ComparisonsBusy(MaxWaiting));
        }
        try
        {
            await _turn.WaitAsync(cancellation);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
        try
        {
            return await Task.Run(() => Score(request, groups, cancellation), cancellation);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    // Models with one tokenizer and vocabulary can be compared token by token.
    private TextGroup[] Plan(CompareRequest request)
    {
        Cast[] casts = [.. request.Models!.Select((name, i) => Find(name, i))];
        var problems = new ProblemList();
        SpecialTokens special = request.SpecialTokens == "parse" ? SpecialTokens.Parse : SpecialTokens.Text;
        if (request.SpecialTokens is not (null or "text" or "parse"))
            problems.Add("special_tokens", "'special_tokens' must be \"text\" or \"parse\"; something else was given.");
        TextGroup[] groups = [.. casts.GroupBy(cast => (cast.Members[0].Tokenizer.Fingerprint, cast.Members[0].VocabularySize)).Select(group =>
            new TextGroup([.. group], group.First().Members[0].Tokenizer.Encode(request.Text!, special)))];
        foreach (TextGroup group in groups)
            group.Check(problems);
        problems.ThrowIfAny();
        return groups;
    }

    private Cast Find(string? name, int index)
    {
        try
        {
            return Cast.Of(catalog, name);
        }
        catch (ApiException refused)
        {
            throw new ApiException(refused.Failure.About($"models[{index}]"));
        }
    }

    private static ScoredComparison Score(CompareRequest request, TextGroup[] groups, CancellationToken cancellation)
    {
        ScoredComparison[] parts = [.. groups.Select(group => group.Score(request.LeaveOneOut is true, cancellation))];
        // In the request's order, also where a name stands twice.
        List<ScoredEntry> rest = [.. parts.SelectMany(part => part.Models)];
        List<ScoredEntry> ordered = [];
        foreach (string? name in request.Models!)
        {
            ScoredEntry entry = rest.First(entry => entry.Model == name);
            rest.Remove(entry);
            ordered.Add(entry);
        }
        return new ScoredComparison(ordered, [.. parts.SelectMany(part => part.Pairs)]);
    }
}
