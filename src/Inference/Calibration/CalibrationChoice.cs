using System.Text.Json;
using System.Text.Json.Nodes;
using Serving.Inference.Checkpoints;

namespace Serving.Inference.Calibration;

/// <summary>What a calibration says of one thing that was open.</summary>
/// <param name="Key">Its key in a serving.json.</param>
/// <param name="Value">The best value.</param>
/// <param name="Loss">Nats a token with it.</param>
/// <param name="Other">The best other value.</param>
/// <param name="OtherLoss">Nats a token with that.</param>
/// <param name="IsClear">Whether the difference leaves no doubt.</param>
public sealed record CalibrationChoice(string Key, string Value, double Loss, string Other, double OtherLoss, bool IsClear)
{
    /// <summary>One for each thing that was open.</summary>
    public static IReadOnlyList<CalibrationChoice> Of(ModelCalibration calibration) =>
    [
        .. new[]
        {
            Of(calibration, "rope_pairing", reading => Name(reading.RopePairing)),
            Of(calibration, "input_lift", reading => Name(reading.InputLift)),
            Of(calibration, "norm", reading => Name(reading.Norm)),
            Of(calibration, "activation", reading => Name(reading.Activation)),
            Of(calibration, "n_head", reading => $"{reading.Heads}"),
        }.OfType<CalibrationChoice>(),
    ];

    /// <summary>Writes what is clear into a model folder's serving.json.</summary>
    public static void Save(IEnumerable<CalibrationChoice> choices, string folder)
    {
        Dictionary<string, JsonNode> clear = choices.Where(choice => choice.IsClear).ToDictionary(choice => choice.Key, JsonNode (choice) => choice.ToJson());
        if (clear.Count > 0)
            ServingOverrides.Set(folder, clear);
    }

    private static CalibrationChoice? Of(ModelCalibration calibration, string key, Func<ModelReading, string> part) =>
        calibration.BestWithout(part) is { } other
            ? new CalibrationChoice(key, part(calibration.Best.Reading), calibration.Best.MeanLoss, part(other.Reading), other.MeanLoss,
                calibration.KnowsTheText && calibration.Best.ClearlyBeats(other))
            : null;

    private JsonValue ToJson() => int.TryParse(Value, out int number) ? JsonValue.Create(number) : JsonValue.Create(Value);

    private static string Name(Enum value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
