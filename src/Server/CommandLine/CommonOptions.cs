using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Server.Devices;
using Serving.Server.Hosting;

namespace Serving.Server.CommandLine;

/// <summary>Options that several verbs take.</summary>
internal static class CommonOptions
{
    public static Option<string[]> Models { get; } = new("--models")
    {
        Description = "A folder of models; may be given several times. Default: the folder 'models' here, beside the program or above.",
        HelpName = "DIR",
    };

    /// <summary>What <c>--models</c> names, or else the setting <c>Serving:Models</c>; folders separated like PATH.</summary>
    public static string? FoldersOf(ParseResult parsed)
    {
        if (parsed.GetValue(Models) is { Length: > 0 } folders)
            return string.Join(Path.PathSeparator, folders);
        IConfiguration settings = new ConfigurationBuilder().SetBasePath(AppContext.BaseDirectory)
            .AddJsonFile("appsettings.json", optional: true).AddEnvironmentVariables().Build();
        return settings[$"{ServingOptions.Section}:{nameof(ServingOptions.Models)}"];
    }

    public static Option<Quantization> Quantize { get; } = new("--quantize")
    {
        Description = "int8: matrices as whole numbers with a scale for 64 weights, half the memory of bf16. Default: none.",
        HelpName = "none|int8",
        CustomParser = result => result.Tokens[0].Value switch
        {
            "int8" => Quantization.EightBits,
            "none" => Quantization.None,
            _ => Refuse(result),
        },
    };

    public static string NameOf(Quantization quantization) => quantization == Quantization.None ? "none" : "int8";

    public static Option<string> Device { get; } = new("--device")
    {
        Description = "Where models compute. Default: cpu. The others need a build with -p:Torch=cpu or -p:Torch=cuda.",
        HelpName = "cpu|torch-cpu|cuda|cuda:N",
        DefaultValueFactory = _ => "cpu",
        Validators =
        {
            result =>
            {
                if (!Regex.IsMatch(result.GetValueOrDefault<string>(), DeviceRequest.Pattern))
                    result.AddError($"--device must be {DeviceRequest.Names}.");
            },
        },
    };

    public static Option<string> Precision { get; } = new("--precision")
    {
        Description = "What matrices are held and multiplied as on a device other than cpu. Default: as they are stored.",
        HelpName = "stored|float32|bfloat16|float16",
        DefaultValueFactory = _ => "stored",
    };

    /// <summary>How the verb is to use this machine's processors.</summary>
    public static CpuOptions CpuOf(ParseResult parsed) => new() { Threads = parsed.GetValue(Threads), Quantization = parsed.GetValue(Quantize) };

    /// <summary>Where the verb is to compute, and how.</summary>
    /// <exception cref="CommandLineException">There is no such device.</exception>
    public static IDevice DeviceOf(ParseResult parsed)
    {
        try
        {
            return ComputeDevices.Open(new DeviceRequest(parsed.GetValue(Device)!)
            {
                Cpu = CpuOf(parsed),
                Precision = parsed.GetValue(Precision)!,
            });
        }
        catch (DeviceUnavailableException unavailable)
        {
            throw new CommandLineException(ExitCode.Usage, unavailable.What, "--device", unavailable.Remedy);
        }
    }

    public static Option<int> Threads { get; } = new("--threads")
    {
        Description = "Threads that compute. Default: one for each processor.",
        Validators = { result => { if (result.GetValueOrDefault<int>() < 1) result.AddError("--threads must be at least 1."); } },
    };

    public static Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Show timings and, after an error, the stack trace.",
    };

    private static Quantization Refuse(ArgumentResult result)
    {
        result.AddError("--quantize must be none or int8.");
        return Quantization.None;
    }
}
