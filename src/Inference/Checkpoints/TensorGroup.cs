using System.Text.Json.Serialization;

namespace Serving.Inference.Checkpoints;

/// <summary>Tensors of a checkpoint that do the same in different blocks.</summary>
/// <param name="Role">What they are for, in words.</param>
/// <param name="DType">Their element type.</param>
/// <param name="Shape">Their dimensions.</param>
/// <param name="Count">How many there are.</param>
/// <param name="First">The name of the first.</param>
public sealed record TensorGroup(
    string Role, [property: JsonPropertyName("dtype")] DType DType, IReadOnlyList<long> Shape, int Count, string First);
