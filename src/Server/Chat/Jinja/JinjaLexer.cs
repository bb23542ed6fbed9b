using System.Text;

namespace Serving.Server.Chat.Jinja;

/// <summary>The kinds of <see cref="JinjaToken"/>.</summary>
internal enum JinjaTokenKind
{
    /// <summary>Text outside of tags.</summary>
    Text,

    /// <summary><c>{{</c> or <c>{%</c>.</summary>
    Open,

    /// <summary><c>}}</c> or <c>%}</c>.</summary>
    Close,

    Name,
    String,
    Number,
    Operator,
    End,
}

/// <summary>A piece of a template.</summary>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Text, int Line);

/// <summary>Cuts a template into tokens and applies the rules of white space.</summary>
internal sealed class JinjaLexer
{
    private static readonly string[] Operators =
        ["==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"];

    private readonly string _source;
    private readonly List<JinjaToken> _tokens = [];
    private int _at;
    private bool _trimsNext; // a tag that ended with "-" takes all white space after it
    private bool _dropsNewline; // a statement or comment takes the newline after it

    private JinjaLexer(string source) => _source = source.ReplaceLineEndings("\n");

    /// <exception cref="JinjaException">A tag or a string does not end, or a character has no meaning.</exception>
    public static IReadOnlyList<JinjaToken> Read(string source)
    {
        var lexer = new JinjaLexer(source);
        while (lexer._at < lexer._source.Length)
            lexer.ReadTextAndTag();
        lexer.Add(JinjaTokenKind.End, "");
        return lexer._tokens;
    }

    private void ReadTextAndTag()
    {
        int open = _at;
        while ((open = _source.IndexOf('{', open)) >= 0 && !(open + 1 < _source.Length && _source[open + 1] is '{' or '%' or '#'))
            open++;
        int end = open < 0 ? _source.Length : open;
        string text = _source[_at..end];
        if (open < 0)
        {
            AddText(text);
            _at = end;
            return;
        }
        char kind = _source[open + 1];
        bool trims = At(open + 2) == '-';
        AddText(trims ? text.TrimEnd() : kind == '{' || At(open + 2) == '+' ? text : WithoutIndent(text));
        _at = open + (trims || At(open + 2) == '+' ? 3 : 2);
        if (kind == '#')
            SkipComment();
        else
            ReadTag(kind == '{' ? "}}" : "%}", _source.Substring(open, 2));
    }

    // lstrip_blocks: spaces before a statement that begins its line are not text.
    private string WithoutIndent(string text)
    {
        int lineStart = text.LastIndexOf('\n') + 1;
        bool isFirstOfLine = lineStart > 0 || _tokens.Count == 0 || _dropsNewline;
        return isFirstOfLine && string.IsNullOrWhiteSpace(text[lineStart..]) ? text[..lineStart] : text;
    }

    private void AddText(string text)
    {
        if (_trimsNext)
            text = text.TrimStart();
        else if (_dropsNewline && text.StartsWith('\n'))
            text = text[1..];
        (_trimsNext, _dropsNewline) = (false, false);
        if (text.Length > 0)
            Add(JinjaTokenKind.Text, text);
    }

    private void SkipComment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw Fault("a comment does not end");
        (_trimsNext, _dropsNewline) = (_source[end - 1] == '-', true);
        _at = end + 2;
    }

    private void ReadTag(string close, string open)
    {
        Add(JinjaTokenKind.Open, open);
        int braces = 0; // "}}" may also end two dictionaries
        while (true)
        {
            while (char.IsWhiteSpace(At(_at)))
                _at++;
            if (_at >= _source.Length)
                throw Fault("a tag does not end");
            bool trims = At(_at) == '-' && string.CompareOrdinal(_source, _at + 1, close, 0, 2) == 0;
            if (braces == 0 && (trims || string.CompareOrdinal(_source, _at, close, 0, 2) == 0))
            {
                _at += trims ? 3 : 2;
                (_trimsNext, _dropsNewline) = (trims, close == "%}");
                Add(JinjaTokenKind.Close, close);
                return;
            }
            ReadToken();
            if (_tokens[^1] is { Kind: JinjaTokenKind.Operator, Text: "{" or "}" } brace)
                braces += brace.Text == "{" ? 1 : -1;
        }
    }

    private void ReadToken()
    {
        char first = At(_at);
        if (first is '\'' or '"')
            Add(JinjaTokenKind.String, ReadString(first));
        else if (char.IsAsciiDigit(first))
            Add(JinjaTokenKind.Number, ReadWhile(c => char.IsAsciiDigit(c) || (c == '.' && char.IsAsciiDigit(At(_at + 1)))));
        else if (char.IsLetter(first) || first == '_')
            Add(JinjaTokenKind.Name, ReadWhile(c => char.IsLetterOrDigit(c) || c == '_'));
        else
        {
            string operation = Operators.FirstOrDefault(each => string.CompareOrdinal(_source, _at, each, 0, each.Length) == 0)
                ?? throw Fault($"'{first}' has no meaning");
            _at += operation.Length;
            Add(JinjaTokenKind.Operator, operation);
        }
    }

    private string ReadWhile(Func<char, bool> belongs)
    {
        int start = _at;
        while (_at < _source.Length && belongs(_source[_at]))
            _at++;
        return _source[start.._at];
    }

    private string ReadString(char quote)
    {
        var text = new StringBuilder();
        for (_at++; At(_at) != quote; _at++)
        {
            if (_at >= _source.Length)
                throw Fault("a string does not end");
            text.Append(At(_at) != '\\' ? At(_at) : At(++_at) switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var other => other });
        }
        _at++;
        return text.ToString();
    }

    private char At(int index) => index < _source.Length ? _source[index] : '\0';

    private void Add(JinjaTokenKind kind, string text) => _tokens.Add(new JinjaToken(kind, text, Line));

    private int Line => 1 + _source.AsSpan(0, Math.Min(_at, _source.Length)).Count('\n');

    private JinjaException Fault(string what) => new($"The chat template is malformed in line {Line}: {what}.");
}
