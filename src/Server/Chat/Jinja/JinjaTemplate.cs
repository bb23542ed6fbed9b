using System.Text;

namespace Serving.Server.Chat.Jinja;

/// <summary>
/// A chat template: the part of Jinja2 that models' templates are written in. Statements: <c>if</c>, <c>for</c> (with <c>if</c>,
/// <c>else</c> and <c>loop</c>), <c>set</c>, <c>namespace</c>, <c>break</c>, <c>continue</c>; no macros, blocks or includes. White space as Hugging Face
/// sets it: <c>trim_blocks</c> and <c>lstrip_blocks</c>. Immutable; any number of threads may use one.
/// </summary>
internal sealed class JinjaTemplate
{
    private readonly IReadOnlyList<JinjaNode> _nodes;

    private JinjaTemplate(string source, IReadOnlyList<JinjaNode> nodes) => (Source, _nodes) = (source, nodes);

    public string Source { get; }

    /// <exception cref="JinjaException">It is malformed, or uses what is not supported here; the message says what and where.</exception>
    public static JinjaTemplate Parse(string source) => new(source, new JinjaParser(new JinjaTokenReader(JinjaLexer.Read(source))).ParseTemplate());

    /// <summary>Writes the template with these variables.</summary>
    /// <param name="variables">Strings, numbers (long, double), bools, null, lists (List of object) and dictionaries of such.</param>
    /// <exception cref="JinjaException">The template refuses them, applies an operation to a wrong type, or does not end.</exception>
    public string Render(IReadOnlyDictionary<string, object?> variables)
    {
        var scope = new JinjaScope(variables);
        var output = new StringBuilder();
        foreach (JinjaNode node in _nodes)
            node.Render(scope, output);
        return output.ToString();
    }
}
