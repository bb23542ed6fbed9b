using System.Text.RegularExpressions;
using Serving.Server.Errors;

namespace Serving.Server.Json;

/// <summary>Tells a caller which parameter of a query has a value of another type.</summary>
internal static partial class QueryFault
{
    /// <summary>Null when the fault is another.</summary>
    public static Problem? Describe(BadHttpRequestException fault)
    {
        if (Unbound().Match(fault.Message) is not { Success: true } match)
            return null;
        string name = match.Groups["name"].Value;
        string expected = match.Groups["type"].Value.Contains("bool", StringComparison.OrdinalIgnoreCase) ? "true or false" : "a whole number";
        string given = match.Groups["value"].Value;
        return new Problem(ErrorCode.InvalidValue, name, $"'{name}' must be {expected}; '{(given.Length <= 64 ? given : given[..63] + "…")}' was given.");
    }

    [GeneratedRegex("^Failed to bind parameter \"(?<type>\\S+) (?<name>\\w+)\" from \"(?<value>.*)\"\\.$", RegexOptions.Singleline)]
    private static partial Regex Unbound();
}
