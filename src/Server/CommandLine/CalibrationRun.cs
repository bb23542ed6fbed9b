using System.Globalization;
using System.Text.Json;
using Serving.Glyphs.Tokens;
using Serving.Inference.Calibration;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary><c>inspect --calibrate</c>: finds out by a text how a model is to be read, and keeps what is clear.</summary>
internal static class CalibrationRun
{
    private const int LeastTokens = 64;
    private const int ReadingsShown = 8;

    public static int Run(string folder, string textFile)
    {
        using LoadedModel model = ModelFolders.Load(folder);
        int[] tokens = Tokenizer.Load(model.TokenizerPath).Encode(ReadText(textFile));
        if (tokens.Length <= LeastTokens || model.Weights.ContextTokens < LeastTokens / 2)
        {
            throw new CommandLineException(ExitCode.Usage, $"The text has {tokens.Length} tokens, the model's context {model.Weights.ContextTokens}.",
                textFile, $"Take a text of more than {LeastTokens} tokens, of the kind that the model was trained on.");
        }
        ModelCalibration calibration;
        using (var progress = new ProgressBar("calibrate"))
            calibration = ModelCalibration.Run(model, tokens, progress);
        IReadOnlyList<CalibrationChoice> choices = CalibrationChoice.Of(calibration);
        Write(Console.Out, calibration, choices);
        CalibrationChoice.Save(choices, model.Path);
        return ExitCode.Ok;
    }

    private static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new CommandLineException(ExitCode.NotFound, fault.Message, file, "Name a text file in UTF-8.", fault);
        }
    }

    private static void Write(TextWriter output, ModelCalibration calibration, IReadOnlyList<CalibrationChoice> choices)
    {
        string label = "readings";
        foreach (ReadingScore score in calibration.Scores.Take(ReadingsShown))
        {
            ModelReading reading = score.Reading;
            (string pairing, string lift, string norm, string activation) = (Name(reading.RopePairing), Name(reading.InputLift), Name(reading.Norm), Name(reading.Activation));
            InspectionText.Line(output, label, $"{Nats(score.MeanLoss)} nats a token: {pairing}, {lift}, {norm} norm, {activation}, {reading.Heads} heads");
            label = "";
        }
        if (calibration.Scores.Count > ReadingsShown)
            InspectionText.Line(output, "", $"and {calibration.Scores.Count - ReadingsShown} more, none better than {Nats(calibration.Scores[ReadingsShown].MeanLoss)}");
        if (!calibration.KnowsTheText)
            InspectionText.Line(output, "note", "No reading foresees this text better than chance: it tells nothing of how to read the model.");
        label = "choices";
        foreach (CalibrationChoice choice in choices)
        {
            string against = $"{choice.Value} {Nats(choice.Loss)}, {choice.Other} {Nats(choice.OtherLoss)}";
            InspectionText.Line(output, label, choice.IsClear
                ? $"{choice.Key}: {against}; {choice.Value} is written into serving.json"
                : $"{choice.Key}: {against}; no clear winner, nothing is written");
            label = "";
        }
        if (choices.Count == 0)
            InspectionText.Line(output, "choices", "none: the files say it all");
    }

    private static string Name(Enum value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private static string Nats(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);
}
