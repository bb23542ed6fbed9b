using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Serving.Server.Evaluation;

/// <summary>A question with choices, one of which is right.</summary>
/// <param name="Question">The question.</param>
/// <param name="Choices">2 to 26.</param>
/// <param name="Answer">The index of the right one.</param>
internal sealed record ChoiceTask(string Question, IReadOnlyList<string> Choices, int Answer)
{
    private const int MaxChoices = 26;

    /// <summary>Reads a JSON-lines file of objects with question, choices and answer: an index, a letter, or a choice's text.</summary>
    /// <exception cref="InvalidDataException">A line is not such an object; the message names it.</exception>
    public static IReadOnlyList<ChoiceTask> Read(string path)
    {
        List<ChoiceTask> tasks = [];
        foreach ((int index, string line) in File.ReadLines(path).Index())
        {
            if (!string.IsNullOrWhiteSpace(line))
                tasks.Add(Parse(line, $"{path}, line {index + 1}"));
        }
        return tasks.Count > 0 ? tasks : throw new InvalidDataException($"{path} holds no question.");
    }

    /// <summary>A choice's letter.</summary>
    public static char Letter(int choice) => (char)('A' + choice);

    /// <summary>The prompt that the answer's letter should continue.</summary>
    /// <param name="style">How the papers' authors wrote it for this kind of task.</param>
    public string Prompt(ChoiceStyle style)
    {
        var prompt = new StringBuilder($"Question: {Question}\nOptions:");
        for (int choice = 0; choice < Choices.Count; choice++)
            prompt.Append(style == ChoiceStyle.OneLine ? ' ' : '\n').Append(CultureInfo.InvariantCulture, $"{Letter(choice)}) {Choices[choice]}");
        return prompt.Append("\nAnswer:").ToString();
    }

    private static ChoiceTask Parse(string line, string place)
    {
        try
        {
            JsonElement task = JsonDocument.Parse(line).RootElement;
            string question = task.GetProperty("question").GetString()!;
            string[] choices = [.. task.GetProperty("choices").EnumerateArray().Select(choice => choice.GetString()!)];
            int answer = AnswerOf(task.GetProperty("answer"), choices);
            if (choices.Length is >= 2 and <= MaxChoices && answer >= 0 && answer < choices.Length)
                return new ChoiceTask(question, choices, answer);
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidDataException($"{place}: {Form}", fault);
        }
        throw new InvalidDataException($"{place}: {Form}");
    }

    private static int AnswerOf(JsonElement answer, string[] choices)
    {
        if (answer.ValueKind == JsonValueKind.Number)
            return answer.GetInt32();
        string text = answer.GetString()!;
        int choice = Array.IndexOf(choices, text);
        return choice >= 0 ? choice : text is [var letter] ? char.ToUpperInvariant(letter) - 'A' : -1;
    }

    private const string Form = "expected an object such as {\"question\": \"2 + 2?\", \"choices\": [\"3\", \"4\"], \"answer\": 1} "
        + "with 2 to 26 choices and, as answer, an index, a letter or a choice.";
}

/// <summary>The prompt formats of the papers' evaluation.</summary>
internal enum ChoiceStyle
{
    /// <summary>Options behind one another, one token to answer: MMLU.</summary>
    OneLine,

    /// <summary>An option a line, two tokens to answer: ARC and CommonsenseQA.</summary>
    Lines,
}
