using System.ComponentModel;

namespace Serving.Server.Inspection;

/// <summary>The tokens of a text, in its order.</summary>
internal sealed record TokenList(string Model, IReadOnlyList<TokenDescription> Data)
{
    [Description("Always list.")]
    public string Object { get; init; } = "list";
}
