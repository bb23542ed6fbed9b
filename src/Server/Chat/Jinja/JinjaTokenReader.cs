namespace Serving.Server.Chat.Jinja;

/// <summary>Goes through the tokens of a template and tells where it is malformed. Made for one template.</summary>
internal sealed class JinjaTokenReader(IReadOnlyList<JinjaToken> tokens)
{
    private const int MaxDepth = 64;

    private int _at;
    private int _depth;

    public JinjaToken Next => tokens[_at];

    public JinjaToken AfterNext => tokens[_at + 1];

    /// <summary>Enters a statement or an expression; <see cref="ComeBack"/> leaves it.</summary>
    /// <exception cref="JinjaException">The template is nested too deeply.</exception>
    public void GoDeeper()
    {
        if (++_depth > MaxDepth)
            throw Fault($"it is nested deeper than {MaxDepth}");
    }

    public void ComeBack() => _depth--;

    public void Skip(int count) => _at += count;

    public JinjaToken Take() => tokens[_at++];

    public bool IsNext(string text) => Next.Kind is JinjaTokenKind.Operator or JinjaTokenKind.Name && Next.Text == text;

    public bool TakeIf(string text)
    {
        if (!IsNext(text))
            return false;
        _at++;
        return true;
    }

    public void Expect(string text)
    {
        if (!TakeIf(text))
            throw Unexpected();
    }

    public string TakeName() => Next.Kind == JinjaTokenKind.Name ? Take().Text : throw Unexpected();

    /// <summary>Takes the end of a statement or an output.</summary>
    public void Close()
    {
        if (Next.Kind != JinjaTokenKind.Close)
            throw Unexpected();
        _at++;
    }

    public bool IsStatement(string name) => Next is { Kind: JinjaTokenKind.Open, Text: "{%" } && AfterNext.Text == name;

    /// <summary>Takes a whole statement without arguments.</summary>
    public bool TakeStatement(string name)
    {
        if (!IsStatement(name))
            return false;
        _at += 2;
        Close();
        return true;
    }

    public JinjaException Unexpected() => Unexpected(Next);

    public static JinjaException Unexpected(JinjaToken token) =>
        FaultAt(token, token.Kind == JinjaTokenKind.End ? "it ends too early" : $"'{token.Text}' is not expected there");

    public JinjaException Fault(string what) => FaultAt(Next, what);

    private static JinjaException FaultAt(JinjaToken token, string what) => new($"The chat template is malformed in line {token.Line}: {what}.");
}
