namespace Serving.Server.CommandLine;

/// <summary>A sharing report as people read it.</summary>
internal static class SharingText
{
    public static void Write(TextWriter output, SharingReport report)
    {
        InspectionText.Line(output, "models", $"{report.Models.Count}, {InspectionText.Size(report.Bytes)} each by itself, "
            + $"{InspectionText.Size(report.DistinctBytes)} together: what is equal is held once");
        foreach (SharingReport.ModelFacts model in report.Models)
            InspectionText.Line(output, "", $"{model.Id,-24} {InspectionText.Size(model.Bytes),11}, of which {InspectionText.Size(model.SharedBytes)} shared");
        string label = "shared";
        foreach (SharingReport.Group group in report.Shared)
        {
            InspectionText.Line(output, label, $"{InspectionText.Size(group.Bytes),11}  {What(group)}: {string.Join(", ", group.Models)}");
            label = "";
        }
        if (report.Shared.Count == 0)
            InspectionText.Line(output, label, "nothing");
    }

    private static string What(SharingReport.Group group)
    {
        string[] outside = [.. group.Tensors.Where(name => TensorBlock.Of(name) < 0)];
        int[] blocks = [.. group.Blocks.Where(block => block >= 0)];
        int inBlocks = group.Tensors.Count - outside.Length;
        IEnumerable<string> parts = outside.Length > 4 ? [$"{outside.Length} tensors outside of blocks"] : outside;
        return string.Join(", ", blocks.Length == 0 ? parts : parts.Append($"{inBlocks} tensors of blocks {Ranges(blocks)}"));
    }

    private static string Ranges(int[] blocks)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (int block in blocks)
        {
            if (ranges.Count > 0 && ranges[^1].Last == block - 1)
                ranges[^1] = (ranges[^1].First, block);
            else
                ranges.Add((block, block));
        }
        return string.Join(", ", ranges.Select(range => range.First == range.Last ? $"{range.First}" : $"{range.First}-{range.Last}"));
    }
}
