using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Ensembles;
using Serving.Inference.Scoring;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Comparisons;

/// <summary>Models that cut a text into the same tokens, and these tokens.</summary>
/// <param name="Casts">Who scores the text.</param>
/// <param name="Tokens">The text.</param>
internal sealed record TextGroup(IReadOnlyList<Cast> Casts, int[] Tokens)
{
    private Tokenizer Tokenizer => Casts[0].Members[0].Tokenizer;

    /// <summary>Notes why the text cannot be scored.</summary>
    public void Check(ProblemList problems)
    {
        int context = Casts.SelectMany(cast => cast.Members).Min(member => member.ContextTokens);
        string name = Casts.First(cast => cast.Members.Any(member => member.ContextTokens == context)).Id;
        if (Tokens.Length > context)
        {
            problems.Add("text", $"'text' has {Tokens.Length} tokens; '{name}' takes {context} at most. Send it in parts.",
                ErrorCode.ContextLengthExceeded);
        }
        else if (Tokens.Length < 2)
            problems.Add("text", $"'text' must have at least 2 tokens, the first being conditioned on nothing; it has {Tokens.Length}.");
    }

    /// <summary>Scores the text under all of them in one pass over each member.</summary>
    public ScoredComparison Score(bool leaveOneOut, CancellationToken cancellation)
    {
        ServedModel[] models = [.. Casts.SelectMany(cast => cast.Members).Distinct()];
        List<Mixture> mixtures = [.. Casts.Select(cast => MixtureOf(cast, models, without: -1))];
        (int Cast, int Member)[] without = leaveOneOut ? [.. Reduced()] : [];
        mixtures.AddRange(without.Select(place => MixtureOf(Casts[place.Cast], models, place.Member)));
        List<IBackend> backends = [];
        ServedModel[] held = [.. models.TakeWhile(model => model.Users.TryEnter())]; // so that nobody unloads them meanwhile
        try
        {
            if (held.Length < models.Length)
                throw new ApiException(ErrorTable.ModelLoading(models[held.Length].Id));
            foreach (ServedModel model in models)
                backends.Add(model.NewBackend());
            var scorer = new TextScorer(
                [.. models.Zip(backends, (model, backend) => new ScoredExpert(model.Id, backend))], mixtures, [.. PairsOf(Casts.Count)]);
            return Describe(scorer.Score(Tokens, first: 1, cancellation), scorer.Pairs, without, leaveOneOut);
        }
        finally
        {
            backends.ForEach(backend => backend.Dispose());
            foreach (ServedModel model in held)
                model.Users.Leave();
        }
    }

    private ScoredComparison Describe(
        float[][] scores, IReadOnlyList<PairScore> pairs, (int Cast, int Member)[] without, bool leaveOneOut)
    {
        var names = new TokenNames(Tokenizer);
        string[] texts = [.. Tokens.Select(names.Of)];
        int characters = Tokenizer.Decode(Tokens.AsSpan(1), skipSpecialTokens: false).EnumerateRunes().Count();
        int unknown = Tokens.Count(token => token == Tokenizer.UnknownId);
        WithoutMember[] reduced = [.. without.Select((place, i) =>
            new WithoutMember(Casts[place.Cast].Members[place.Member].Id, Figures(scores[Casts.Count + i], characters)))];
        return new ScoredComparison(
            [.. Casts.Select((cast, i) => new ScoredEntry(cast.Id, cast.Fingerprint, texts, Tokens, unknown, Figures(scores[i], characters),
                leaveOneOut && cast.IsEnsemble ? [.. reduced.Where((_, r) => without[r].Cast == i)] : null)
            {
                Ensemble = EnsembleWeights.Of(cast.Ensemble),
            })],
            [.. pairs.Select(pair => new ScoredPair(Casts[pair.A].Id, Casts[pair.B].Id,
                pair.KullbackLeibler, pair.ReverseKullbackLeibler, pair.JensenShannon, pair.SameArgmax))]);
    }

    private static TextFigures Figures(float[] scores, int characters)
    {
        double sum = scores.Sum(score => (double)score);
        double perplexity = Math.Exp(-sum / scores.Length);
        return new TextFigures(sum, double.IsFinite(perplexity) ? perplexity : null,
            characters == 0 ? null : -sum / Math.Log(2) / characters, [null, .. scores]);
    }

    // An ensemble of which nothing would be left has no such figures.
    private IEnumerable<(int Cast, int Member)> Reduced() => Casts.Index().Where(cast => cast.Item.IsEnsemble && cast.Item.Members.Count > 1)
        .SelectMany(cast => Enumerable.Range(0, cast.Item.Members.Count).Select(member => (cast.Index, member)));

    private static Mixture MixtureOf(Cast cast, ServedModel[] models, int without)
    {
        int[] kept = [.. Enumerable.Range(0, cast.Members.Count).Where(member => member != without)];
        double[] weights = cast.Blend.Weights.ToArray();
        return new Mixture([.. kept.Select(member => Array.IndexOf(models, cast.Members[member]))],
            new Blend(kept.Select(member => weights[member]), cast.Blend.Rule));
    }

    private static IEnumerable<(int A, int B)> PairsOf(int count) =>
        Enumerable.Range(0, count).SelectMany(a => Enumerable.Range(a + 1, count - a - 1).Select(b => (a, b)));
}
