using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Inference.Checkpoints;
using Serving.Server.Json;

namespace Serving.Server.CommandLine;

/// <summary><c>inspect --check</c>: reads every tensor of a model whole, looks for values that are not finite, and compares the bytes
/// with the fingerprints that the files hold.</summary>
internal static class CheckRun
{
    /// <param name="Path">The model's folder.</param>
    /// <param name="Tensors">That were read.</param>
    /// <param name="Bytes">Of them.</param>
    /// <param name="Verified">Tensors whose files say what their fingerprint should be.</param>
    /// <param name="Faults">Those at fault.</param>
    internal sealed record Report(string Path, int Tensors, long Bytes, int Verified, IReadOnlyList<Fault> Faults);

    /// <param name="Tensor">Its name.</param>
    /// <param name="File">Its file's name.</param>
    /// <param name="Nan">Values that are no number.</param>
    /// <param name="Infinite">Values that are infinite.</param>
    /// <param name="First">Where the first of both is, an index for each dimension.</param>
    /// <param name="Expected">The fingerprint that its file says it has, if that is wrong.</param>
    /// <param name="Found">The one that it has.</param>
    internal sealed record Fault(string Tensor, string File, [property: JsonPropertyName("nan")] long Nan, long Infinite, IReadOnlyList<long>? First, string? Expected, string? Found);

    /// <summary>Checks models and tells of each.</summary>
    /// <returns><see cref="ExitCode.BadModelFile"/> if one has a fault.</returns>
    public static int Run(IReadOnlyList<string> folders, bool asJson)
    {
        Report[] reports = [.. folders.Select(Check)];
        if (asJson)
            Console.WriteLine(JsonSerializer.Serialize(reports, ReportJson.Options));
        else
            Array.ForEach(reports, report => Write(Console.Out, report));
        return reports.Any(report => report.Faults.Count > 0) ? ExitCode.BadModelFile : ExitCode.Ok;
    }

    private static Report Check(string folder)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        using CheckpointFolder checkpoint = CheckpointFolder.Open(path);
        using var progress = new ProgressBar("check");
        IReadOnlyList<TensorCheck> checks = TensorCheck.Of([.. checkpoint.Tensors.Values], progress);
        return new Report(path, checks.Count, checks.Sum(check => check.Tensor.Bytes), checks.Count(check => check.Fingerprint is not null),
            [.. checks.Where(check => !check.IsSound).Select(FaultOf)]);
    }

    private static Fault FaultOf(TensorCheck check) => new(
        check.Tensor.Name, Path.GetFileName(check.Tensor.Path), check.NotNumbers, check.Infinities, check.First,
        check.IsIntact ? null : check.Tensor.Fingerprint, check.IsIntact ? null : check.Fingerprint);

    private static void Write(TextWriter output, Report report)
    {
        InspectionText.Line(output, "model", report.Path);
        string verified = report.Verified == 0
            ? "the files hold no fingerprints; those that 'convert' writes do"
            : $"{report.Verified} compared with the fingerprints in their files";
        InspectionText.Line(output, "check", $"{report.Tensors} tensors, {InspectionText.Size(report.Bytes)}; {verified}; {(report.Faults.Count == 0 ? "no fault" : $"{report.Faults.Count} at fault")}");
        foreach (Fault fault in report.Faults)
        {
            InspectionText.Line(output, "fault", $"{fault.Tensor} in {fault.File}");
            if (fault.First is { } first)
                InspectionText.Line(output, "", $"{fault.Nan:N0} NaN, {fault.Infinite:N0} infinite, the first at [{string.Join(", ", first)}]");
            if (fault.Found is not null)
                InspectionText.Line(output, "", $"is {fault.Found}, was written as {fault.Expected}: damaged since");
        }
    }
}
