using System.Globalization;

namespace Serving.Server.Peers;

/// <summary>How a row of logits travels.</summary>
/// <param name="Kind">The form.</param>
/// <param name="Top">Of <see cref="LogitForm.Top"/>: how many logits are exact.</param>
internal readonly record struct LogitEncoding(LogitForm Kind, int Top = 0)
{
    private const string TopPrefix = "top-";

    /// <summary>The setting's text: <c>f32</c>, <c>f16</c> or <c>top-N</c>.</summary>
    /// <returns>Null when it is none of these.</returns>
    public static LogitEncoding? Parse(string text) => text switch
    {
        "f32" => new(LogitForm.F32),
        "f16" => new(LogitForm.F16),
        _ when text.StartsWith(TopPrefix, StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(TopPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int top) && top > 0
            => new(LogitForm.Top, top),
        _ => null,
    };
}

/// <summary>Forms of a row.</summary>
internal enum LogitForm : byte
{
    /// <summary>As computed: an ensemble of remote experts answers the bits of the same ensemble in one process.</summary>
    F32,

    /// <summary>The largest logit in 32 bits, all others by their distance from it in 16: off by at most 2^-11 of that distance.</summary>
    F16,

    /// <summary>The N largest exactly, and the log-sum of the others, which share their probability alike: the distribution is off by at
    /// most the probability of that tail.</summary>
    Top,
}
