using System.Globalization;
using static Serving.Server.Chat.Jinja.JinjaExpression;

namespace Serving.Server.Chat.Jinja;

/// <summary>Builds a template from its tokens. Made for one template.</summary>
internal sealed class JinjaParser(IReadOnlyList<JinjaToken> tokens)
{
    private const int MaxDepth = 64;

    private static readonly string[][] BinaryLevels =
    [
        ["or"], ["and"], ["not"], ["==", "!=", "<", "<=", ">", ">=", "in", "not in"], ["+", "-"], ["~"], ["*", "/", "//", "%"],
    ];

    private const int NotLevel = 2;

    private int _at;
    private int _depth;

    private JinjaToken Next => tokens[_at];

    /// <exception cref="JinjaException">The template is malformed, or uses what is not supported.</exception>
    public IReadOnlyList<JinjaNode> ParseTemplate()
    {
        List<JinjaNode> nodes = ParseNodes();
        return Next.Kind == JinjaTokenKind.End ? nodes : throw Unexpected();
    }

    // Up to the end, or a statement that none of these begins: the caller's "endif", "else" and so on.
    private List<JinjaNode> ParseNodes()
    {
        if (++_depth > MaxDepth)
            throw Fault($"it is nested deeper than {MaxDepth}");
        var nodes = new List<JinjaNode>();
        while (Next.Kind is JinjaTokenKind.Text or JinjaTokenKind.Open)
        {
            if (Next.Kind == JinjaTokenKind.Text)
                nodes.Add(new JinjaNode.Text(Take().Text));
            else if (Next.Text == "{{")
            {
                _at++;
                nodes.Add(new JinjaNode.Output(ParseExpression()));
                Close();
            }
            else if (ParseStatement() is { } node)
                nodes.Add(node);
            else
                break;
        }
        _depth--;
        return nodes;
    }

    private JinjaNode? ParseStatement()
    {
        string name = tokens[_at + 1].Text;
        switch (name)
        {
            case "if":
                return ParseIf();
            case "for":
                return ParseFor();
            case "set":
                return ParseSet();
            case "break" or "continue":
                _at += 2;
                Close();
                return new JinjaNode.Exit(name == "break");
            case "elif" or "else" or "endif" or "endfor":
                return null;
            case "generation" or "endgeneration": // marks what training counts; nothing is written for it
                _at += 2;
                Close();
                return new JinjaNode.Text("");
            default:
                throw Fault($"the statement '{name}' is not supported here");
        }
    }

    private JinjaNode.If ParseIf()
    {
        var branches = new List<(JinjaExpression, IReadOnlyList<JinjaNode>)>();
        IReadOnlyList<JinjaNode> otherwise = [];
        do
        {
            _at += 2;
            JinjaExpression test = ParseExpression();
            Close();
            branches.Add((test, ParseNodes()));
        }
        while (IsStatement("elif"));
        if (TakeStatement("else"))
            otherwise = ParseNodes();
        return TakeStatement("endif") ? new JinjaNode.If(branches, otherwise) : throw Unexpected();
    }

    private JinjaNode.For ParseFor()
    {
        _at += 2;
        List<string> names = [TakeName()];
        while (TakeIf(","))
            names.Add(TakeName());
        Expect("in");
        JinjaExpression list = ParseBinary(0);
        JinjaExpression? filter = TakeIf("if") ? ParseExpression() : null;
        Close();
        List<JinjaNode> body = ParseNodes();
        IReadOnlyList<JinjaNode> otherwise = TakeStatement("else") ? ParseNodes() : [];
        return TakeStatement("endfor") ? new JinjaNode.For(names, list, filter, body, otherwise) : throw Unexpected();
    }

    private JinjaNode.Set ParseSet()
    {
        _at += 2;
        string name = TakeName();
        string? field = TakeIf(".") ? TakeName() : null;
        Expect("=");
        JinjaExpression value = ParseExpression();
        Close();
        return new JinjaNode.Set(name, field, value);
    }

    private JinjaExpression ParseExpression()
    {
        if (++_depth > MaxDepth)
            throw Fault($"it is nested deeper than {MaxDepth}");
        JinjaExpression value = ParseBinary(0);
        if (TakeIf("if"))
        {
            JinjaExpression test = ParseBinary(0);
            value = new Conditional(value, test, TakeIf("else") ? ParseExpression() : null);
        }
        _depth--;
        return value;
    }

    private JinjaExpression ParseBinary(int level)
    {
        if (level == BinaryLevels.Length)
            return ParseUnary();
        if (level == NotLevel)
            return TakeIf("not") ? new Not(ParseBinary(NotLevel)) : ParseBinary(level + 1);
        JinjaExpression left = ParseBinary(level + 1);
        while (TakeOperation(BinaryLevels[level]) is { } operation)
            left = new Binary(operation, left, ParseBinary(level + 1));
        return left;
    }

    private string? TakeOperation(string[] operations)
    {
        if (Next.Kind is not (JinjaTokenKind.Operator or JinjaTokenKind.Name))
            return null;
        bool isNotIn = Next.Text == "not" && tokens[_at + 1].Text == "in";
        string operation = isNotIn ? "not in" : Next.Text;
        if (!operations.Contains(operation))
            return null;
        _at += isNotIn ? 2 : 1;
        return operation;
    }

    private JinjaExpression ParseUnary()
    {
        if (TakeIf("-"))
            return new Negative(ParseUnary());
        JinjaExpression value = ParsePrimary();
        while (true)
        {
            if (TakeIf("."))
                value = ParseMember(value);
            else if (TakeIf("["))
                value = ParseIndex(value);
            else if (TakeIf("|"))
                value = ParseCall(CallKind.Filter, TakeName(), value, JinjaFilters.Names);
            else if (TakeIf("is"))
                value = ParseTest(value);
            else
                return value;
        }
    }

    private JinjaExpression ParseMember(JinjaExpression owner)
    {
        string name = TakeName();
        return IsNext("(") ? ParseCall(CallKind.Method, name, owner, JinjaMethods.Names) : new Member(owner, new Literal(name));
    }

    private JinjaExpression ParseIndex(JinjaExpression owner)
    {
        JinjaExpression? from = IsNext(":") ? null : ParseExpression();
        if (TakeIf("]"))
            return new Member(owner, from!);
        Expect(":");
        JinjaExpression? to = IsNext("]") || IsNext(":") ? null : ParseExpression();
        JinjaExpression? step = TakeIf(":") && !IsNext("]") ? ParseExpression() : null;
        Expect("]");
        return new Slice(owner, from, to, step);
    }

    private JinjaExpression ParseTest(JinjaExpression value)
    {
        bool isNegated = TakeIf("not");
        string name = TakeName();
        JinjaExpression? argument = null;
        if (TakeIf("("))
        {
            argument = ParseExpression();
            Expect(")");
        }
        var test = new Is(value, name, argument);
        return isNegated ? new Not(test) : test;
    }

    private JinjaExpression ParsePrimary()
    {
        JinjaToken token = Take();
        switch (token.Kind)
        {
            case JinjaTokenKind.String:
                string text = token.Text;
                while (Next.Kind == JinjaTokenKind.String)
                    text += Take().Text;
                return new Literal(text);
            case JinjaTokenKind.Number:
                return new Literal(long.TryParse(token.Text, CultureInfo.InvariantCulture, out long whole)
                    ? (object)whole : double.Parse(token.Text, CultureInfo.InvariantCulture));
            case JinjaTokenKind.Name:
                return ParseName(token.Text);
            case JinjaTokenKind.Operator when token.Text == "(":
                return ParseParentheses();
            case JinjaTokenKind.Operator when token.Text == "[":
                return new ListOf(ParseList("]"));
            case JinjaTokenKind.Operator when token.Text == "{":
                return ParseDictionary();
            default:
                _at--;
                throw Unexpected();
        }
    }

    private JinjaExpression ParseName(string name) => name switch
    {
        "true" or "True" => new Literal(true),
        "false" or "False" => new Literal(false),
        "none" or "None" => new Literal(null),
        _ when IsNext("(") => ParseCall(CallKind.Function, name, null, JinjaFunctions.Names),
        _ => new Variable(name),
    };

    private JinjaExpression ParseParentheses()
    {
        JinjaExpression first = ParseExpression();
        if (TakeIf(")"))
            return first;
        Expect(",");
        return new ListOf([first, .. ParseList(")")]);
    }

    private List<JinjaExpression> ParseList(string end)
    {
        var items = new List<JinjaExpression>();
        while (!TakeIf(end))
        {
            items.Add(ParseExpression());
            if (!IsNext(end))
                Expect(",");
        }
        return items;
    }

    private DictionaryOf ParseDictionary()
    {
        var items = new List<(JinjaExpression, JinjaExpression)>();
        while (!TakeIf("}"))
        {
            JinjaExpression key = ParseExpression();
            Expect(":");
            items.Add((key, ParseExpression()));
            if (!IsNext("}"))
                Expect(",");
        }
        return new DictionaryOf(items);
    }

    // What is not known is refused when the template is read, not in the middle of a request.
    private Call ParseCall(CallKind kind, string name, JinjaExpression? value, IReadOnlySet<string> known)
    {
        if (!known.Contains(name))
            throw Fault($"the {kind.ToString().ToLowerInvariant()} '{name}' is not supported here");
        var placed = new List<JinjaExpression>();
        var named = new Dictionary<string, JinjaExpression>();
        if (TakeIf("("))
        {
            while (!TakeIf(")"))
            {
                if (Next.Kind == JinjaTokenKind.Name && tokens[_at + 1] is { Kind: JinjaTokenKind.Operator, Text: "=" })
                {
                    string parameter = Take().Text;
                    _at++;
                    named[parameter] = ParseExpression();
                }
                else
                    placed.Add(ParseExpression());
                if (!IsNext(")"))
                    Expect(",");
            }
        }
        return new Call(kind, name, value, placed, named);
    }

    private bool IsNext(string text) => Next.Kind is JinjaTokenKind.Operator or JinjaTokenKind.Name && Next.Text == text;

    private bool TakeIf(string text)
    {
        if (!IsNext(text))
            return false;
        _at++;
        return true;
    }

    private void Expect(string text)
    {
        if (!TakeIf(text))
            throw Unexpected();
    }

    private string TakeName() => Next.Kind == JinjaTokenKind.Name ? Take().Text : throw Unexpected();

    private JinjaToken Take() => tokens[_at++];

    private void Close()
    {
        if (Next.Kind != JinjaTokenKind.Close)
            throw Unexpected();
        _at++;
    }

    private bool IsStatement(string name) => Next is { Kind: JinjaTokenKind.Open, Text: "{%" } && tokens[_at + 1].Text == name;

    private bool TakeStatement(string name)
    {
        if (!IsStatement(name))
            return false;
        _at += 2;
        Close();
        return true;
    }

    private JinjaException Unexpected() =>
        Fault(Next.Kind == JinjaTokenKind.End ? "it ends too early" : $"'{Next.Text}' is not expected there");

    private JinjaException Fault(string what) => new($"The chat template is malformed in line {Next.Line}: {what}.");
}
