using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Cpu;

/// <summary>A small checkpoint, and what PyTorch made of it.</summary>
internal static class GoldenCheckpoint
{
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static ModelsRoot Root { get; } = ModelsRoot.Scan(TestData.Path("checkpoints"));

    public static LoadedModel Load(string variant) => LoadedModel.Load(Root, Root.Models.Single(model => model.Id == variant));

    public static Case[] Cases(string variant)
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(TestData.Path("checkpoints", variant, "golden.json")));
        return golden.RootElement.GetProperty("cases").Deserialize<Case[]>(SnakeCase)!;
    }

    /// <summary>One sequence: its tokens, the logits after the last, each token's log-probability, eight greedy tokens more.</summary>
    public sealed record Case(int[] Ids, float[] LastLogits, float?[] PromptLogprobs, int[] Greedy);
}
