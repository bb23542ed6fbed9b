using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Server.Benchmarks;
using Serving.Server.Json;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>bench</c>: how fast a model is here.</summary>
internal static class BenchCommand
{
    private static readonly Option<string?> Shape = new("--shape")
    {
        Description = $"A model of this shape with random weights: {string.Join(", ", BenchShape.All.Select(shape => shape.Name))}. A sum "
            + "such as 42m+42m: what their ensemble costs over them.",
        HelpName = "NAME",
    };

    private static readonly Option<string?> Model = new("--model")
    {
        Description = "A model of the folder, or a sum of models; with --url, any that the server has.",
        HelpName = "ID",
    };

    private static readonly Option<Uri?> Url = new("--url")
    {
        Description = "A running server instead, this one or any with OpenAI's /v1/completions: the served loads alone.",
        HelpName = "URL",
        CustomParser = result => Uri.TryCreate(result.Tokens[0].Value.TrimEnd('/') + "/", UriKind.Absolute, out Uri? uri) ? uri : Refuse(result),
    };

    private static readonly Option<string[]> Load = new("--load")
    {
        Description = "A served load as REQUESTSxCONCURRENCY:PROMPT+OUTPUT; may be given several times.",
        HelpName = "LOAD",
        DefaultValueFactory = _ => ["32x16:64+64", "8x4:64+64"],
    };

    private static readonly Option<int> Vocabulary = new("--vocabulary")
    {
        Description = "With --url: prompts are made of ids below this.",
        DefaultValueFactory = _ => 4096,
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Write JSON." };

    public static Command Create()
    {
        var command = new Command("bench", """
            Measures a model: prefill, decoding, batched decoding and served loads, each defined in the output.

            Example:
              bench --shape 470m
              bench --url http://127.0.0.1:8080 --model glyph-en --load 32x16:64+64
            """)
        {
            Shape, Model, Url, Load, Vocabulary, CommonOptions.Quantize, CommonOptions.Threads, CommonOptions.Device, CommonOptions.Precision, Json, CommonOptions.Models, CommonOptions.Verbose,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        LoadPlan[] loads = [.. parsed.GetValue(Load)!.Select(ParseLoad)];
        BenchReport report = parsed.GetValue(Url) is { } url
            ? await MeasureServerAsync(url, parsed, loads, cancellationToken)
            : await MeasureModelAsync(parsed, loads, cancellationToken);
        if (parsed.GetValue(Json))
            Console.Out.WriteLine(JsonSerializer.Serialize(report, ReportJson.Options));
        else
            BenchText.Write(Console.Out, report);
        return ExitCode.Ok;
    }

    private static async Task<BenchReport> MeasureServerAsync(Uri url, ParseResult parsed, LoadPlan[] loads, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        var target = new HttpTarget(http, parsed.GetValue(Model) ?? "default");
        return ReportOf(url.ToString(), CpuBackend.Instructions) with { Served = await ServeAsync(new ServedLoad(target.SendAsync, parsed.GetValue(Vocabulary)), loads, cancellationToken) };
    }

    private static async Task<BenchReport> MeasureModelAsync(ParseResult parsed, LoadPlan[] loads, CancellationToken cancellationToken)
    {
        IDevice device = CommonOptions.DeviceOf(parsed);
        if (SummandsOf(parsed) is { Length: > 1 } names)
            return MeasureEnsemble(parsed, device, names);
        using BenchModel model = OpenModel(parsed, device, SummandsOf(parsed).FirstOrDefault());
        BenchReport.ModelRates rates = model.Measure();
        return ReportOf(model.Name, device.Arithmetic) with { Model = rates, Served = await model.ServeAsync(served => ServeAsync(served, loads, cancellationToken)) };
    }

    private static BenchReport MeasureEnsemble(ParseResult parsed, IDevice device, string[] names)
    {
        var members = new List<BenchModel>();
        try
        {
            foreach (string name in names)
                members.Add(OpenModel(parsed, device, name, members.Count + 1));
            using var benchmark = new EnsembleBenchmark([.. members.Select(member => member.Weights)]);
            return ReportOf(string.Join('+', names), device.Arithmetic) with { Ensemble = [.. EnsembleBenchmark.Rows.Select(benchmark.Measure)] };
        }
        catch (ArgumentException fault)
        {
            throw new CommandLineException(ExitCode.Usage, "These models cannot answer together.", string.Join('+', names), fault.Message);
        }
        finally
        {
            members.ForEach(member => member.Dispose());
        }
    }

    private static string[] SummandsOf(ParseResult parsed) =>
        (parsed.GetValue(Shape) ?? parsed.GetValue(Model))?.Split('+') ?? [];

    private static BenchModel OpenModel(ParseResult parsed, IDevice device, string? name, int seed = 1)
    {
        CpuOptions cpu = CommonOptions.CpuOf(parsed);
        if (parsed.GetValue(Shape) is not null)
        {
            BenchShape shape = BenchShape.All.FirstOrDefault(shape => shape.Name == name) ?? throw new CommandLineException(
                ExitCode.Usage, $"There is no shape '{name}'.", "--shape", $"Name one of {string.Join(", ", BenchShape.All.Select(each => each.Name))}.");
            return BenchModel.OfShape(shape, device, cpu, seed);
        }
        ModelCatalog catalog = ModelRoots.Open(CommonOptions.FoldersOf(parsed));
        string id = name ?? catalog.Ids.First();
        ModelEntry entry = catalog.Entries.FirstOrDefault(entry => entry.Id == id) ?? throw new CommandLineException(
            ExitCode.NotFound, $"The model '{id}' does not exist.", "--model", $"Name one of {string.Join(", ", catalog.Ids)}.");
        return BenchModel.OfCheckpoint(entry, device, cpu);
    }

    private static async Task<IReadOnlyList<LoadResult>> ServeAsync(ServedLoad served, LoadPlan[] loads, CancellationToken cancellationToken)
    {
        var results = new List<LoadResult>();
        foreach (LoadPlan load in loads)
            results.Add(await served.RunAsync(load, cancellationToken));
        return results;
    }

    private static BenchReport ReportOf(string subject, string arithmetic) => new()
    {
        Subject = subject,
        Date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        Machine = BenchReport.MachineFacts.Here(arithmetic),
        Served = [],
    };

    private static LoadPlan ParseLoad(string text)
    {
        int[] numbers = [.. text.Split('x', ':', '+').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0)];
        return numbers is [>= 1, >= 1, >= 1, >= 1]
            ? new LoadPlan(numbers[0], numbers[1], numbers[2], numbers[3])
            : throw new CommandLineException(ExitCode.Usage, $"'{text}' is not a load.", "--load",
                "Write REQUESTSxCONCURRENCY:PROMPT+OUTPUT, for example 32x16:64+64.");
    }

    private static Uri? Refuse(System.CommandLine.Parsing.ArgumentResult result)
    {
        result.AddError("--url must be an absolute URL, such as http://127.0.0.1:8080.");
        return null;
    }
}
