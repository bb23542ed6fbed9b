namespace Serving.Inference.Sampling;

/// <summary>
/// Finds stop texts in text that comes in pieces, and lets through only what can no longer become part of one.
/// </summary>
/// <remarks>
/// The stop text that is complete first wins, the longest of several that end together: a rule that cannot depend on how
/// the text was cut into pieces. Each stop text runs a Knuth-Morris-Pratt automaton: time is linear, and the longest state
/// is exactly the longest suffix that may still become a stop text. Not thread-safe; one for each text.
/// </remarks>
internal sealed class StopMatcher
{
    private readonly string[] _stops;
    private readonly int[][] _borders;
    private readonly int[] _states;
    private string _held = "";

    /// <summary>A matcher for these texts, compared by UTF-16 code unit; none may be empty.</summary>
    public StopMatcher(IReadOnlyList<string> stops)
    {
        _stops = [.. stops];
        _borders = Array.ConvertAll(_stops, Borders);
        _states = new int[_stops.Length];
    }

    /// <summary>Whether a stop text came; nothing more is let through.</summary>
    public bool Matched { get; private set; }

    /// <summary>Takes the next piece and returns the text that became certain.</summary>
    public string Push(string piece)
    {
        if (Matched) return "";
        if (_stops.Length == 0) return piece;
        string text = _held.Length == 0 ? piece : _held + piece;
        int held = 0;
        for (int i = text.Length - piece.Length; i < text.Length; i++)
        {
            int complete = Advance(text[i], out held);
            if (complete == 0) continue;
            Matched = true;
            _held = "";
            return text[..(i + 1 - complete)];
        }
        if (piece.Length == 0) return "";
        _held = text[^held..];
        return text[..^held];
    }

    /// <summary>Returns what was held back; the text is over.</summary>
    public string Flush()
    {
        string rest = _held;
        _held = "";
        return rest;
    }

    /// <summary>Moves all automata by one character.</summary>
    /// <returns>The length of the longest stop text that ends here, or 0; and the longest state.</returns>
    private int Advance(char next, out int longest)
    {
        (int complete, longest) = (0, 0);
        for (int i = 0; i < _stops.Length; i++)
        {
            string stop = _stops[i];
            int state = _states[i];
            while (state > 0 && stop[state] != next) state = _borders[i][state];
            if (stop[state] == next) state++;
            _states[i] = state;
            longest = Math.Max(longest, state);
            if (state == stop.Length) complete = Math.Max(complete, state);
        }
        return complete;
    }

    /// <summary>For each length n: the longest proper prefix of stop[..n] that is also its suffix.</summary>
    private static int[] Borders(string stop)
    {
        ArgumentException.ThrowIfNullOrEmpty(stop);
        int[] borders = new int[stop.Length + 1];
        for (int length = 2, border = 0; length <= stop.Length; length++)
        {
            while (border > 0 && stop[length - 1] != stop[border]) border = borders[border];
            if (stop[length - 1] == stop[border]) border++;
            borders[length] = border;
        }
        return borders;
    }
}
