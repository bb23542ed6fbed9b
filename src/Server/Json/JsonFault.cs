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
        if (ExpectedType(fault.Message) is { } expected && field.Length > 0)
            return new Problem(ErrorCode.InvalidValue, field, $"'{field}' must be {expected}{place}.");
        if (fault is ContractException contract)
            return new Problem(ErrorCode.InvalidValue, field, $"'{field}' {contract.Expectation}{place}.");
        string reason = fault.Message.Split(" Path: ", 2)[0].TrimEnd('.');
        return new Problem(ErrorCode.InvalidJson, field, $"The body is not valid JSON{place}: {reason}.");
    }

    // "$.stream_options.include_usage" -> "stream_options.include_usage"; a key with odd characters stands as "$['…']".
    private static string FieldOf(string? path) => path is null or "$" ? "" : path.TrimStart('$').TrimStart('.');

    private static string? ExpectedType(string message)
    {
        Match match = ConvertedTo().Match(message);
        return !match.Success ? null : match.Groups[1].Value switch
        {
            var name when name.Contains("Int32", StringComparison.Ordinal) => "an integer of at most 32 bits",
            var name when name.Contains("Int64", StringComparison.Ordinal) => "an integer of at most 64 bits",
            var name when name.Contains("Double", StringComparison.Ordinal) => "a number",
            var name when name.Contains("Boolean", StringComparison.Ordinal) => "true or false",
            var name when name.Contains("String", StringComparison.Ordinal) => "a string of valid Unicode text",
            _ => "of another type",
        };
    }

    [GeneratedRegex(@"^The JSON value could not be converted to (.+?)\.? (?:Path:|$)")]
    private static partial Regex ConvertedTo();
}
