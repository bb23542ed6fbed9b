using System.Text.Json;
using Serving.Server.Errors;

namespace Serving.Server.Chat;

/// <summary>Fields of OpenAI's chat that this server knows and cannot honour: refused unless they ask for nothing.</summary>
internal static class RefusedFields
{
    private static readonly HashSet<string> OfRequests = new(StringComparer.Ordinal)
    {
        "tools", "tool_choice", "functions", "function_call", "response_format", "modalities", "audio", "prediction",
        "reasoning_effort", "verbosity", "web_search_options", "store", "best_of", "echo", "suffix", "expert_logprobs", "prompt",
    };

    private static readonly HashSet<string> OfMessages = new(StringComparer.Ordinal)
    {
        "name", "tool_calls", "tool_call_id", "function_call", "audio",
    };

    public static void Check(ChatRequest request, ProblemList problems)
    {
        Check(request.Unknown, OfRequests, "", problems);
        for (int i = 0; i < request.Messages!.Count; i++)
            Check(request.Messages[i]?.Unknown, OfMessages, $"messages[{i}].", problems);
    }

    private static void Check(Dictionary<string, JsonElement>? given, HashSet<string> refused, string path, ProblemList problems)
    {
        foreach ((string field, JsonElement value) in given ?? [])
        {
            problems.Unsupported(refused.Contains(field) && !AsksForNothing(field, value), path + field,
                $"'{path}{field}' is not supported by this server's chat. Leave it out.");
        }
    }

    private static bool AsksForNothing(string field, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0 || (field == "modalities" && value.GetRawText() == "[\"text\"]"),
        JsonValueKind.String => field is "tool_choice" or "function_call" && value.ValueEquals("none"),
        JsonValueKind.Number => field == "best_of" && value.TryGetInt32(out int candidates) && candidates == 1,
        JsonValueKind.Object => field == "response_format" && value.TryGetProperty("type", out JsonElement type)
            && type.ValueKind == JsonValueKind.String && type.ValueEquals("text"),
        _ => false,
    };
}
