namespace Serving.Inference.Speculation;

/// <summary>Whether and how tokens are guessed ahead, to be verified several at a time. Changes speed, never a result: what is
/// kept is what the model would have picked from the same bits.</summary>
/// <param name="Source">Who guesses.</param>
/// <param name="Tokens">The most tokens guessed ahead of each sequence; 1 to 16.</param>
public sealed record SpeculationOptions(DraftSource Source, int Tokens = SpeculationOptions.DefaultTokens)
{
    /// <summary>Guesses unless told otherwise.</summary>
    public const int DefaultTokens = 4;

    /// <summary>The most guesses.</summary>
    public const int MostTokens = 16;
}

/// <summary>Who guesses tokens ahead.</summary>
public enum DraftSource
{
    /// <summary>The sequence itself: what followed its last tokens when they stood there before.</summary>
    Lookup,

    /// <summary>The backend's own first blocks with a head of their own: see <see cref="IDraftingBackend"/>.</summary>
    Depth,
}
