using System.Text.Json;

namespace Serving.Server.Json;

/// <summary>A value of a shape that its field does not take.</summary>
/// <param name="expectation">Ends the sentence "'field' …".</param>
internal sealed class ContractException(string expectation) : JsonException($"The value {expectation}.")
{
    /// <summary>Ends the sentence "'field' …".</summary>
    public string Expectation { get; } = expectation;
}
