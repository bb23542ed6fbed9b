using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Server.Errors;

namespace Serving.Server.Json;

/// <summary>Tells a caller, not a programmer, why a body could not be read.</summary>
internal static partial class JsonFault
{
    /// <summary>There was no body, or it was <c>null</c>.</summary>
    public static Problem Missing { get; } =
        new(ErrorCode.InvalidJson, "", "The body is empty: expected a JSON object such as {\"model\": \"…\", \"prompt\": \"…\"}.");

    public static Problem Describe(JsonException fault)
    {
        string field = FieldOf(fault.Path);
        string place = fault.LineNumber is { } line ? $" (line {line + 1}, byte {fault.BytePositionInLine + 1})" : "";
        if (fault is ContractException contract)
            return new Problem(ErrorCode.InvalidValue, field, $"'{field}' {contract.Expectation}{place}.");
        if (ConvertedTo().Match(fault.Message) is { Success: true } match)
        {
            string expected = NameOf(match.Groups["type"].Value);
            return field.Length > 0
                ? new Problem(ErrorCode.InvalidValue, field, $"'{field}' must be {expected}{place}.")
                : new Problem(ErrorCode.InvalidJson, field, $"The body must be {expected}{place}.");
        }
        if (Duplicate().Match(fault.Message) is { Success: true } twice)
        {
            string key = twice.Groups["key"].Value;
            return new Problem(ErrorCode.InvalidJson, field, $"The key '{key}' stands twice in one object{place}. Give it once.");
        }
        string reason = fault.Message.Split(" Path: ", 2)[0].TrimEnd('.');
        return new Problem(ErrorCode.InvalidJson, field, $"The body is not valid JSON{place}: {reason}.");
    }

    // "$.stream_options.include_usage" -> "stream_options.include_usage"; a key with odd characters stands as "['…']".
    private static string FieldOf(string? path) => path is null or "$" ? "" : path[1..].TrimStart('.');

    private static string NameOf(string type) => type switch
    {
        _ when type.Contains("System.Int32[]", StringComparison.Ordinal) => "a list of integers",
        _ when type.Contains("Dictionary", StringComparison.Ordinal) => "an object of numbers",
        _ when type.Contains("System.Int32", StringComparison.Ordinal) => "an integer of at most 32 bits",
        _ when type.Contains("System.Int64", StringComparison.Ordinal) => "an integer of at most 64 bits",
        _ when type.Contains("System.Double", StringComparison.Ordinal) => "a number",
        _ when type.Contains("System.Boolean", StringComparison.Ordinal) => "true or false",
        _ when type.Contains("System.String", StringComparison.Ordinal) => "a string of valid Unicode text",
        _ => "a JSON object",
    };

    [GeneratedRegex(@"^The JSON value could not be converted to (?<type>.+?)\.(?: |$)")]
    private static partial Regex ConvertedTo();

    [GeneratedRegex("^Duplicate property '(?<key>.*)' encountered")]
    private static partial Regex Duplicate();
}
