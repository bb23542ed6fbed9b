using Serving.Inference;
using Serving.Inference.Scoring;
using Serving.Server.Ensembles;
using Serving.Server.Models;

namespace Serving.Server.Evaluation;

/// <summary>
/// Bits per character of a whole text under several models of one tokenizer, in one pass over each member. Windows of the whole
/// context advance by half of it, so that every token but the first few is predicted from at least half a context.
/// </summary>
internal sealed class TextEvaluation : IDisposable
{
    // An unknown token hides which character it was: the cost of naming one of 20,000.
    private static readonly double UnknownBits = Math.Log2(20_000);

    private readonly IReadOnlyList<Cast> _casts;
    private readonly List<IBackend> _backends = [];
    private readonly TextScorer _scorer;
    private readonly int _window;

    /// <param name="casts">Models of one tokenizer and vocabulary.</param>
    /// <param name="window">The most tokens that a prediction sees; less where a context is shorter.</param>
    public TextEvaluation(IReadOnlyList<Cast> casts, int window)
    {
        _casts = casts;
        ServedModel[] models = [.. casts.SelectMany(cast => cast.Members).Distinct()];
        foreach (ServedModel model in models)
            _backends.Add(model.NewBackend());
        _scorer = new TextScorer([.. models.Zip(_backends, (model, backend) => new ScoredExpert(model.Id, backend))],
            [.. casts.Select(cast => new Mixture([.. cast.Members.Select(member => Array.IndexOf(models, member))], cast.Blend))], []);
        _window = Math.Min(window, _scorer.ContextTokens);
    }

    /// <summary>Scores a text.</summary>
    /// <param name="name">Names it in the results.</param>
    /// <param name="text">At least two tokens of it.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it.</param>
    public IReadOnlyList<TextResult> Run(string name, string text, Action<double> progress, CancellationToken cancellation)
    {
        int[] tokens = _casts[0].Members[0].Tokenizer.Encode(text);
        if (tokens.Length < 2)
            throw new InvalidDataException($"'{name}' is too short to be scored: it has {tokens.Length} tokens, the first of which is given.");
        List<(double Nats, int Tokens)>[] parts = [.. _casts.Select(_ => new List<(double, int)>())];
        int stride = Math.Max(1, _window / 2);
        for (int start = 0; start == 0 || start < tokens.Length - 1 - (_window - stride); start += stride)
        {
            int[] window = tokens[start..Math.Min(start + _window + 1, tokens.Length)];
            int first = start == 0 ? 1 : _window - stride + 1; // the first half was counted by the window before
            float[][] scores = _scorer.Score(window, first, cancellation);
            for (int cast = 0; cast < scores.Length; cast++)
                parts[cast].Add((-scores[cast].Sum(score => (double)score), scores[cast].Length));
            progress((double)(start + window.Length) / tokens.Length);
        }
        int unknown = tokens.Count(token => token == _casts[0].Members[0].Tokenizer.UnknownId);
        int characters = text.EnumerateRunes().Count();
        return [.. _casts.Select((cast, i) => Result(cast.Id, name, parts[i], tokens.Length, characters, unknown))];
    }

    public void Dispose() => _backends.ForEach(backend => backend.Dispose());

    private static TextResult Result(
        string model, string name, List<(double Nats, int Tokens)> parts, int tokens, int characters, int unknown)
    {
        double charactersPerToken = (double)characters / (tokens - 1), unknownBitsPerToken = UnknownBits * unknown / (tokens - 1);
        Estimate nats = Estimate.OfRatio([.. parts.Select(part => (part.Nats, (double)part.Tokens))]);
        Estimate bits = Estimate.OfRatio([.. parts.Select(part =>
            ((part.Nats / Math.Log(2)) + (unknownBitsPerToken * part.Tokens), part.Tokens * charactersPerToken))]);
        return new TextResult(model, name, characters, tokens, unknown, Math.Exp(nats.Value), bits);
    }
}
