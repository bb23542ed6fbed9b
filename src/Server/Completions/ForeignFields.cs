using System.Text.Json;
using Serving.Server.Errors;

namespace Serving.Server.Completions;

/// <summary>Fields that this server knows, of its own other routes, of OpenAI's API or of other servers, and that a body cannot have
/// honoured: refused unless they ask for what happens anyway. All other fields that a body does not have are unknown.</summary>
internal sealed class ForeignFields
{
    private static readonly string[] OfNoRoute =
    [
        "tools", "tool_choice", "functions", "function_call", "response_format", "modalities", "audio", "prediction", "reasoning_effort",
        "verbosity", "web_search_options", "store", "suffix", "length_penalty", "use_beam_search", "prompt_logprobs", "truncate_prompt_tokens",
        "bad_words", "allowed_token_ids", "include_stop_str_in_output", "skip_special_tokens", "return_token_ids", "return_tokens_as_token_ids",
        "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar", "json_schema",
    ];

    // What some fields say when they ask for nothing, besides null, an empty list, an empty text, and false where it is not true here.
    private static readonly Dictionary<string, JsonElement> Neutral = new Dictionary<string, string>
    {
        ["n"] = "1",
        ["best_of"] = "1",
        ["logprobs"] = "0",
        ["top_logprobs"] = "0",
        ["length_penalty"] = "1",
        ["skip_special_tokens"] = "true",
        ["add_generation_prompt"] = "true",
        ["tool_choice"] = "\"none\"",
        ["function_call"] = "\"none\"",
        ["modalities"] = "[\"text\"]",
        ["response_format"] = "{\"type\":\"text\"}",
    }.ToDictionary(entry => entry.Key, entry => JsonElement.Parse(entry.Value));

    private readonly HashSet<string> _names;

    private ForeignFields(params ReadOnlySpan<string> names) => _names = [.. names];

    public static ForeignFields OfCompletions { get; } = new([.. OfNoRoute, "messages", "max_completion_tokens", "top_logprobs", "input", "text"]);

    public static ForeignFields OfChats { get; } = new(
        [.. OfNoRoute, "prompt", "input", "best_of", "echo", "expert_logprobs", "chat_template", "add_generation_prompt", "continue_final_message", "documents"]);

    public static ForeignFields OfMessages { get; } = new("name", "tool_calls", "tool_call_id", "function_call", "audio");

    public static ForeignFields OfComparisons { get; } = new(
        [.. OfNoRoute, "model", "ensemble", "messages", "max_completion_tokens", "input", "n", "best_of", "echo", "logprobs", "top_logprobs",
        "expert_logprobs", "stream", "stream_options"]);

    public static ForeignFields OfEmbeddings { get; } = new("prompt", "messages", "ensemble", "truncate_prompt_tokens", "normalize");

    /// <summary>Notes the fields among these that are refused.</summary>
    /// <param name="given">Fields that a body does not have, with their values.</param>
    /// <param name="problems">Where problems go.</param>
    /// <param name="path">Where the fields stand: empty, or a path that ends with a dot.</param>
    public void Check(Dictionary<string, JsonElement>? given, ProblemList problems, string path = "")
    {
        foreach ((string field, JsonElement value) in given ?? [])
        {
            problems.Unsupported(_names.Contains(field) && !AsksForNothing(field, value), path + field,
                $"'{path}{field}' is not supported here. Leave it out.");
        }
    }

    private static bool AsksForNothing(string field, JsonElement value)
    {
        if (Neutral.TryGetValue(field, out JsonElement neutral) && JsonElement.DeepEquals(value, neutral))
            return true;
        return value.ValueKind switch
        {
            JsonValueKind.Null => true,
            JsonValueKind.False => neutral.ValueKind != JsonValueKind.True,
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.String => value.ValueEquals(""),
            _ => false,
        };
    }
}
