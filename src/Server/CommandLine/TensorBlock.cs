using System.Globalization;
using System.Text.RegularExpressions;

namespace Serving.Server.CommandLine;

/// <summary>The block in a tensor's name.</summary>
internal static partial class TensorBlock
{
    /// <summary>Its index; -1 = the tensor stands outside of blocks.</summary>
    public static int Of(string name) =>
        Index().Match(name) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : -1;

    [GeneratedRegex(@"(?:^|\.)(?:transformer_layers|layers|blocks|h|transformer)(?:_\d+)?\.(\d{1,4})\.")]
    private static partial Regex Index();
}
