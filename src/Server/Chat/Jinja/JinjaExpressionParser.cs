using System.Globalization;
using static Serving.Server.Chat.Jinja.JinjaExpression;

namespace Serving.Server.Chat.Jinja;

/// <summary>Builds the expressions of a template. Made for one template.</summary>
internal sealed class JinjaExpressionParser(JinjaTokenReader tokens)
{
    private static readonly string[][] BinaryLevels =
    [
        ["or"], ["and"], ["not"], ["==", "!=", "<", "<=", ">", ">=", "in", "not in"], ["+", "-"], ["~"], ["*", "/", "//", "%"],
    ];

    private const int NotLevel = 2;

    /// <exception cref="JinjaException">The expression is malformed, or uses what is not supported.</exception>
    public JinjaExpression Parse()
    {
        tokens.GoDeeper();
        JinjaExpression value = ParseBinary(0);
        if (tokens.TakeIf("if"))
        {
            JinjaExpression test = ParseBinary(0);
            value = new Conditional(value, test, tokens.TakeIf("else") ? Parse() : null);
        }
        tokens.ComeBack();
        return value;
    }

    /// <summary>Without a trailing <c>if … else …</c>, which belongs to what stands around it.</summary>
    public JinjaExpression ParseUnconditional() => ParseBinary(0);

    private JinjaExpression ParseBinary(int level)
    {
        if (level == BinaryLevels.Length)
            return ParseUnary();
        if (level == NotLevel)
            return tokens.TakeIf("not") ? new Not(ParseBinary(NotLevel)) : ParseBinary(level + 1);
        JinjaExpression left = ParseBinary(level + 1);
        while (TakeOperation(BinaryLevels[level]) is { } operation)
            left = new Binary(operation, left, ParseBinary(level + 1));
        return left;
    }

    private string? TakeOperation(string[] operations)
    {
        if (tokens.Next.Kind is not (JinjaTokenKind.Operator or JinjaTokenKind.Name))
            return null;
        bool isNotIn = tokens.Next.Text == "not" && tokens.AfterNext.Text == "in";
        string operation = isNotIn ? "not in" : tokens.Next.Text;
        if (!operations.Contains(operation))
            return null;
        tokens.Skip(isNotIn ? 2 : 1);
        return operation;
    }

    private JinjaExpression ParseUnary()
    {
        if (tokens.TakeIf("-"))
            return new Negative(ParseUnary());
        JinjaExpression value = ParsePrimary();
        while (true)
        {
            if (tokens.TakeIf("."))
                value = ParseMember(value);
            else if (tokens.TakeIf("["))
                value = ParseIndex(value);
            else if (tokens.TakeIf("|"))
                value = ParseCall(CallKind.Filter, tokens.TakeName(), value, JinjaFilters.Names);
            else if (tokens.TakeIf("is"))
                value = ParseTest(value);
            else
                return value;
        }
    }

    private JinjaExpression ParseMember(JinjaExpression owner)
    {
        string name = tokens.TakeName();
        return tokens.IsNext("(") ? ParseCall(CallKind.Method, name, owner, JinjaMethods.Names) : new Member(owner, new Literal(name));
    }

    private JinjaExpression ParseIndex(JinjaExpression owner)
    {
        JinjaExpression? from = tokens.IsNext(":") ? null : Parse();
        if (tokens.TakeIf("]"))
            return new Member(owner, from!);
        tokens.Expect(":");
        JinjaExpression? to = tokens.IsNext("]") || tokens.IsNext(":") ? null : Parse();
        JinjaExpression? step = tokens.TakeIf(":") && !tokens.IsNext("]") ? Parse() : null;
        tokens.Expect("]");
        return new Slice(owner, from, to, step);
    }

    private JinjaExpression ParseTest(JinjaExpression value)
    {
        bool isNegated = tokens.TakeIf("not");
        string name = tokens.TakeName();
        JinjaExpression? argument = null;
        if (tokens.TakeIf("("))
        {
            argument = Parse();
            tokens.Expect(")");
        }
        var test = new Is(value, name, argument);
        return isNegated ? new Not(test) : test;
    }

    private JinjaExpression ParsePrimary()
    {
        JinjaToken token = tokens.Take();
        switch (token.Kind)
        {
            case JinjaTokenKind.String:
                string text = token.Text;
                while (tokens.Next.Kind == JinjaTokenKind.String)
                    text += tokens.Take().Text;
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
                throw JinjaTokenReader.Unexpected(token);
        }
    }

    private JinjaExpression ParseName(string name) => name switch
    {
        "true" or "True" => new Literal(true),
        "false" or "False" => new Literal(false),
        "none" or "None" => new Literal(null),
        _ when tokens.IsNext("(") => ParseCall(CallKind.Function, name, null, JinjaFunctions.Names),
        _ => new Variable(name),
    };

    private JinjaExpression ParseParentheses()
    {
        JinjaExpression first = Parse();
        if (tokens.TakeIf(")"))
            return first;
        tokens.Expect(",");
        return new ListOf([first, .. ParseList(")")]);
    }

    private List<JinjaExpression> ParseList(string end)
    {
        var items = new List<JinjaExpression>();
        while (!tokens.TakeIf(end))
        {
            items.Add(Parse());
            if (!tokens.IsNext(end))
                tokens.Expect(",");
        }
        return items;
    }

    private DictionaryOf ParseDictionary()
    {
        var items = new List<(JinjaExpression, JinjaExpression)>();
        while (!tokens.TakeIf("}"))
        {
            JinjaExpression key = Parse();
            tokens.Expect(":");
            items.Add((key, Parse()));
            if (!tokens.IsNext("}"))
                tokens.Expect(",");
        }
        return new DictionaryOf(items);
    }

    // What is not known is refused when the template is read, not in the middle of a request.
    private Call ParseCall(CallKind kind, string name, JinjaExpression? value, IReadOnlySet<string> known)
    {
        if (!known.Contains(name))
            throw tokens.Fault($"the {kind.ToString().ToLowerInvariant()} '{name}' is not supported here");
        var placed = new List<JinjaExpression>();
        var named = new Dictionary<string, JinjaExpression>();
        if (tokens.TakeIf("("))
        {
            while (!tokens.TakeIf(")"))
            {
                if (tokens.Next.Kind == JinjaTokenKind.Name && tokens.AfterNext is { Kind: JinjaTokenKind.Operator, Text: "=" })
                {
                    string parameter = tokens.Take().Text;
                    tokens.Skip(1);
                    named[parameter] = Parse();
                }
                else
                    placed.Add(Parse());
                if (!tokens.IsNext(")"))
                    tokens.Expect(",");
            }
        }
        return new Call(kind, name, value, placed, named);
    }
}
