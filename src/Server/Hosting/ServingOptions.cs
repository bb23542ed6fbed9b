using System.ComponentModel.DataAnnotations;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Server.Access;
using Serving.Server.Devices;

namespace Serving.Server.Hosting;

/// <summary>The section <c>Serving</c> of appsettings.json, the environment (<c>Serving__ShutdownSeconds=60</c>) and the command
/// line (<c>--Serving:ShutdownSeconds=60</c>). Read once at start; anything wrong with it stops the start.</summary>
internal sealed class ServingOptions
{
    public const string Section = "Serving";

    /// <summary>Who may ask. None (default) = everybody; the server then listens to this machine only.</summary>
    public List<KeyOptions> Keys { get; set; } = [];

    /// <summary>Whether other machines may reach a server without keys. Default false.</summary>
    public bool AllowWithoutKey { get; set; }

    /// <summary>Folders of models, separated like PATH. Null looks for <c>models</c>.</summary>
    public string? Models { get; set; }

    /// <summary>Whether matrices are kept as whole numbers of eight bits: "none" or "int8". Default none.</summary>
    [RegularExpression("^(none|int8)$", ErrorMessage = "none or int8")]
    public string Quantize { get; set; } = "none";

    /// <summary>Where models compute: "cpu", "torch-cpu", "cuda" or "cuda:N". Default cpu; the others need a build with
    /// <c>-p:Torch=cpu</c> or <c>-p:Torch=cuda</c>.</summary>
    [RegularExpression(DeviceRequest.Pattern, ErrorMessage = DeviceRequest.Names)]
    public string Device { get; set; } = "cpu";

    /// <summary>Models that compute elsewhere than <see cref="Device"/> says.</summary>
    public List<PlacementOptions> Placement { get; set; } = [];

    /// <summary>What matrices are held and multiplied as on a device other than cpu: "stored", "float32", "bfloat16" or "float16".
    /// Default stored.</summary>
    [RegularExpression(DeviceRequest.PrecisionPattern, ErrorMessage = DeviceRequest.Precisions)]
    public string Precision { get; set; } = "stored";

    /// <summary>Threads that compute, for all models together; 0 = one for each processor. 0 to 1024; default 0.</summary>
    [Range(0, 1024)]
    public int Threads { get; set; }

    /// <summary>How long requests in flight may go on after Ctrl-C or SIGTERM. 0 to 3600; default 30.</summary>
    [Range(0, 3600)]
    public int ShutdownSeconds { get; set; } = 30;

    /// <summary>The longest silence of a stream, broken by a comment. 1 to 15; default 10.</summary>
    [Range(1, 15)]
    public int KeepAliveSeconds { get; set; } = 10;

    /// <summary>How long a client may leave a stream unread before it is dropped. 1 to 300; default 20.</summary>
    [Range(1, 300)]
    public int WriteTimeoutSeconds { get; set; } = 20;

    /// <summary>Answers that one key may have under way: half of the places, where there is somebody else to leave them to.</summary>
    public int MaxAnswersPerKey => Keys.Count > 1 ? Math.Max(1, (Queue.MaxRequests + Batch.MaxRunning) / 2) : int.MaxValue;

    /// <summary>How long a client may leave an answer unread.</summary>
    public TimeSpan WriteTimeout => TimeSpan.FromSeconds(WriteTimeoutSeconds);

    /// <summary>How long an answer that is not a stream may take; it ends with 504 then. Clients give up after 300. 1 to 290;
    /// default 280.</summary>
    [Range(1, 290)]
    public int AnswerSeconds { get; set; } = 280;

    /// <summary>How long a client may take to send its headers. 1 to 10; default 10.</summary>
    [Range(1, 10)]
    public int HeaderSeconds { get; set; } = 10;

    /// <summary>Connections at once, or as many as the limit of open files leaves room for; more are closed as they come. 1 to 100000; default 1024.</summary>
    [Range(1, 100_000)]
    public int MaxConnections { get; set; } = 1024;

    /// <summary>The largest body of a request. 1 KiB to 1 GiB; default 8 MiB.</summary>
    [Range(1024, 1 << 30)]
    public int MaxBodyBytes { get; set; } = 8 << 20;

    /// <summary>The most answers of one request, prompts times n or best_of. 1 to 4096; default 128.</summary>
    [Range(1, 4096)]
    public int MaxChoices { get; set; } = 128;

    /// <summary>Whether /swagger is served. Default true.</summary>
    public bool Swagger { get; set; } = true;

    /// <summary>What may wait, per model.</summary>
    public QueueOptions Queue { get; set; } = new();

    /// <summary>Models of these folders to serve, separated by commas. Null = all.</summary>
    public string? Include { get; set; }

    /// <summary>What other servers may use of this one.</summary>
    public PeerOptions Peers { get; set; } = new();

    /// <summary>What this server lets others compute.</summary>
    public RemoteOptions Remote { get; set; } = new();

    /// <summary>When requests are refused for lack of memory.</summary>
    public MemoryOptions Memory { get; set; } = new();

    /// <summary>What runs at once, per model.</summary>
    public BatchOptions Batch { get; set; } = new();

    /// <summary>Where a model computes, and how.</summary>
    /// <exception cref="DeviceUnavailableException">This build, or this machine, has no such device.</exception>
    public IDevice DeviceOf(string model) => Open(Placement.Find(placement => placement.Model == model)?.Device ?? Device);

    /// <summary>What is wrong with the devices that are named; empty when all is well.</summary>
    public IEnumerable<string> DeviceProblems()
    {
        foreach (string device in Placement.Select(placement => placement.Device ?? Device).Prepend(Device).Distinct())
        {
            string? problem = null;
            try
            {
                Open(device);
            }
            catch (DeviceUnavailableException unavailable)
            {
                problem = unavailable.Message;
            }
            if (problem is not null)
                yield return problem;
        }
    }

    private IDevice Open(string device) => ComputeDevices.Open(new DeviceRequest(device)
    {
        Cpu = new CpuOptions
        {
            Threads = Threads,
            KvBlocks = (Batch.KvTokens + CpuMemory.BlockTokens - 1) / CpuMemory.BlockTokens,
            Quantization = Quantize == "int8" ? Quantization.EightBits : Quantization.None,
        },
        Precision = Precision,
    });
}
