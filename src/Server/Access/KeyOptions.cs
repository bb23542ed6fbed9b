using System.ComponentModel.DataAnnotations;

namespace Serving.Server.Access;

/// <summary>An entry of the section <c>Serving:Keys</c>: who may ask, and how much. Only the key's SHA-256 is kept;
/// <c>key</c> on the command line makes a key and its entry.</summary>
internal sealed class KeyOptions
{
    /// <summary>Names the key in the log. Required.</summary>
    [Required, RegularExpression("^[A-Za-z0-9._-]{1,64}$", ErrorMessage = "1 to 64 of A-Z a-z 0-9 . _ -")]
    public string? Name { get; set; }

    /// <summary>SHA-256 of the key's UTF-8. Required.</summary>
    [Required, RegularExpression("^[0-9a-fA-F]{64}$", ErrorMessage = "the SHA-256 of a key as 64 hexadecimal digits")]
    public string? Sha256 { get; set; }

    /// <summary>What it may do: <c>inference</c> (default), <c>admin</c>, which includes inference.</summary>
    [RegularExpression("^(inference|admin)$", ErrorMessage = "\"inference\" or \"admin\"")]
    public string Scope { get; set; } = "inference";

    /// <summary>Requests a minute. 0 (default) = no limit.</summary>
    [Range(0, 1_000_000)]
    public int RequestsPerMinute { get; set; }

    /// <summary>Tokens a minute, of prompts and answers. 0 (default) = no limit.</summary>
    [Range(0, 1_000_000_000)]
    public int TokensPerMinute { get; set; }
}
