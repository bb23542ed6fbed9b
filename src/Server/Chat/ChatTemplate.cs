using Serving.Glyphs.Tokens;
using Serving.Server.Chat.Jinja;
using Serving.Server.Models;

namespace Serving.Server.Chat;

/// <summary>Turns a conversation into a prompt. Immutable; any number of threads may use one.</summary>
internal sealed class ChatTemplate
{
    private const string PlainSource = """
        {%- for message in messages -%}
        {%- if message.role == 'system' -%}
        {{ message.content }}{{ '\n\n' }}
        {%- elif message.role == 'user' -%}
        User: {{ message.content }}{{ '\n' }}
        {%- else -%}
        Assistant: {{ message.content }}{{ '\n' }}
        {%- endif -%}
        {%- endfor -%}
        Assistant:
        """;

    // Characters that stand for nothing in any text.
    private const char FirstGuard = '\uFDD0', LastGuard = '\uFDEF';

    private readonly JinjaTemplate _template;

    private ChatTemplate(JinjaTemplate template, IReadOnlyList<string> stops) => (_template, Stops) = (template, stops);

    /// <summary>For models without a template of their own: a system text and an empty line, then a line "User: …" or
    /// "Assistant: …" for each message, then "Assistant:". The answer ends before the line in which the user would speak.</summary>
    public static ChatTemplate Plain { get; } = new(JinjaTemplate.Parse(PlainSource), ["\nUser:"]);

    /// <summary>The template's text.</summary>
    public string Source => _template.Source;

    /// <summary>Texts that end an answer besides those of the request.</summary>
    public IReadOnlyList<string> Stops { get; }

    /// <summary>A model's own template.</summary>
    /// <exception cref="JinjaException">It is malformed, or uses what is not supported here.</exception>
    public static ChatTemplate Parse(string source) => new(JinjaTemplate.Parse(source), []);

    /// <summary>The prompt's tokens. Control tokens that the template writes are control tokens; their spelling in a message is
    /// text unless <paramref name="special"/> says otherwise.</summary>
    /// <exception cref="JinjaException">The template refuses the messages.</exception>
    public int[] Encode(IReadOnlyList<(string Role, string Content)> messages, SpecialTokens special, Tokenizer tokenizer, TextMarks marks)
    {
        if (special == SpecialTokens.Parse)
            return tokenizer.Encode(Render(messages, marks), SpecialTokens.Parse, addSpecialTokens: false);
        char guard = GuardFor(messages);
        IReadOnlyList<string> spellings = tokenizer.SpecialSpellings;
        string text = Render([.. messages.Select(message => (message.Role, Guarded(message.Content, spellings, guard)))], marks);
        return EncodeGuarded(text, spellings, guard, tokenizer);
    }

    private string Render(IReadOnlyList<(string Role, string Content)> messages, TextMarks marks) =>
        _template.Render(new Dictionary<string, object?>
        {
            ["messages"] = messages.Select(message => (object?)new Dictionary<string, object?>
            {
                ["role"] = message.Role,
                ["content"] = message.Content,
            }).ToList(),
            ["add_generation_prompt"] = true,
            ["bos_token"] = marks.Begin ?? "",
            ["eos_token"] = marks.End ?? "",
            ["pad_token"] = marks.Pad ?? "",
        });

    private static char GuardFor(IReadOnlyList<(string Role, string Content)> messages)
    {
        for (char guard = FirstGuard; guard <= LastGuard; guard++)
        {
            if (messages.All(message => !message.Content.Contains(guard)))
                return guard;
        }
        throw new JinjaException("The messages use every one of the code points U+FDD0 to U+FDEF, which stand for nothing: leave one out.");
    }

    // Splits every spelling of a control token, so that it cannot be taken for one of the template's.
    private static string Guarded(string content, IReadOnlyList<string> spellings, char guard)
    {
        foreach (string spelling in spellings)
            content = content.Replace(spelling, spelling.Insert(1, guard.ToString()), StringComparison.Ordinal);
        return content;
    }

    private static int[] EncodeGuarded(string text, IReadOnlyList<string> spellings, char guard, Tokenizer tokenizer)
    {
        var ids = new List<int>();
        while (text.Length > 0)
        {
            (int at, string spelling) = spellings.Select(spelling => (At: text.IndexOf(spelling, StringComparison.Ordinal), spelling))
                .Where(found => found.At >= 0).OrderBy(found => found.At).ThenByDescending(found => found.spelling.Length)
                .FirstOrDefault((text.Length, ""));
            string before = text[..at].Replace(guard.ToString(), "", StringComparison.Ordinal);
            if (before.Length > 0)
                ids.AddRange(tokenizer.Encode(before, SpecialTokens.Text, addSpecialTokens: false));
            if (spelling.Length > 0)
                ids.Add(tokenizer.FindId(spelling)!.Value);
            text = text[(at + spelling.Length)..];
        }
        return [.. ids];
    }
}
