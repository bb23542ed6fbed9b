namespace Serving.Server.Chat.Jinja;

/// <summary>Builds a template from its tokens. Made for one template.</summary>
internal sealed class JinjaParser(JinjaTokenReader tokens)
{
    private readonly JinjaExpressionParser _expressions = new(tokens);

    /// <exception cref="JinjaException">The template is malformed, or uses what is not supported.</exception>
    public IReadOnlyList<JinjaNode> ParseTemplate()
    {
        List<JinjaNode> nodes = ParseNodes();
        return tokens.Next.Kind == JinjaTokenKind.End ? nodes : throw tokens.Unexpected();
    }

    // Up to the end, or a statement that none of these begins: the caller's "endif", "else" and so on.
    private List<JinjaNode> ParseNodes()
    {
        tokens.GoDeeper();
        var nodes = new List<JinjaNode>();
        while (tokens.Next.Kind is JinjaTokenKind.Text or JinjaTokenKind.Open)
        {
            if (tokens.Next.Kind == JinjaTokenKind.Text)
                nodes.Add(new JinjaNode.Text(tokens.Take().Text));
            else if (tokens.Next.Text == "{{")
            {
                tokens.Skip(1);
                nodes.Add(new JinjaNode.Output(_expressions.Parse()));
                tokens.Close();
            }
            else if (ParseStatement() is { } node)
                nodes.Add(node);
            else
                break;
        }
        tokens.ComeBack();
        return nodes;
    }

    private JinjaNode? ParseStatement()
    {
        string name = tokens.AfterNext.Text;
        switch (name)
        {
            case "if":
                return ParseIf();
            case "for":
                return ParseFor();
            case "set":
                return ParseSet();
            case "break" or "continue":
                tokens.Skip(2);
                tokens.Close();
                return new JinjaNode.Exit(name == "break");
            case "elif" or "else" or "endif" or "endfor":
                return null;
            case "generation" or "endgeneration": // marks what training counts; nothing is written for it
                tokens.Skip(2);
                tokens.Close();
                return new JinjaNode.Text("");
            default:
                throw tokens.Fault($"the statement '{name}' is not supported here");
        }
    }

    private JinjaNode.If ParseIf()
    {
        var branches = new List<(JinjaExpression, IReadOnlyList<JinjaNode>)>();
        IReadOnlyList<JinjaNode> otherwise = [];
        do
        {
            tokens.Skip(2);
            JinjaExpression test = _expressions.Parse();
            tokens.Close();
            branches.Add((test, ParseNodes()));
        }
        while (tokens.IsStatement("elif"));
        if (tokens.TakeStatement("else"))
            otherwise = ParseNodes();
        return tokens.TakeStatement("endif") ? new JinjaNode.If(branches, otherwise) : throw tokens.Unexpected();
    }

    private JinjaNode.For ParseFor()
    {
        tokens.Skip(2);
        List<string> names = [tokens.TakeName()];
        while (tokens.TakeIf(","))
            names.Add(tokens.TakeName());
        tokens.Expect("in");
        JinjaExpression list = _expressions.ParseUnconditional();
        JinjaExpression? filter = tokens.TakeIf("if") ? _expressions.Parse() : null;
        tokens.Close();
        List<JinjaNode> body = ParseNodes();
        IReadOnlyList<JinjaNode> otherwise = tokens.TakeStatement("else") ? ParseNodes() : [];
        return tokens.TakeStatement("endfor") ? new JinjaNode.For(names, list, filter, body, otherwise) : throw tokens.Unexpected();
    }

    private JinjaNode.Set ParseSet()
    {
        tokens.Skip(2);
        string name = tokens.TakeName();
        string? field = tokens.TakeIf(".") ? tokens.TakeName() : null;
        tokens.Expect("=");
        JinjaExpression value = _expressions.Parse();
        tokens.Close();
        return new JinjaNode.Set(name, field, value);
    }
}
