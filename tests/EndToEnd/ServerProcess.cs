using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Serving.Server.Hosting;

namespace Serving.EndToEnd;

/// <summary>The server as its users start it: a process of its own, on a free port.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = [];
    private readonly ConcurrentQueue<string> _errors = [];
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerProcess(Process process) => _process = process;

    public HttpClient Client { get; private set; } = null!;

    /// <summary>The lines of the log so far.</summary>
    public IReadOnlyList<string> Log => [.. _log];

    /// <summary>Where peers find it; null when they do not.</summary>
    public string? PeerUrl { get; private set; }

    public string Errors => string.Join('\n', _errors);

    /// <summary>Starts the program and waits until it is ready.</summary>
    public static Task<ServerProcess> StartAsync(string models, params string[] arguments) =>
        StartAtAsync(new Uri("http://127.0.0.1:0"), models, arguments);

    /// <summary>Starts the program at an address of its own and waits until it is ready.</summary>
    public static Task<ServerProcess> StartAtAsync(Uri url, string models, params string[] arguments) =>
        ReadyAsync(Launch(["serve", "--models", models, "--urls", url.GetLeftPart(UriPartial.Authority), .. arguments]));

    /// <summary>Starts the program in an environment or by another program, and waits until it is ready.</summary>
    /// <param name="models">The folder of models.</param>
    /// <param name="prefix">A command that runs the one that follows it; empty = none.</param>
    /// <param name="environment">Variables to add.</param>
    /// <param name="arguments">More arguments of the program.</param>
    public static Task<ServerProcess> StartInAsync(
        string models, string[] prefix, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        ProcessStartInfo start = StartInfo(["serve", "--models", models, "--urls", "http://127.0.0.1:0", .. arguments]);
        string[] command = [.. prefix, start.FileName, .. start.ArgumentList];
        (start.FileName, string[] rest) = (command[0], command[1..]);
        start.ArgumentList.Clear();
        foreach (string argument in rest)
            start.ArgumentList.Add(argument);
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return ReadyAsync(Launch(start));
    }

    private static async Task<ServerProcess> ReadyAsync(ServerProcess server)
    {
        server.Client = new HttpClient(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero })
        {
            BaseAddress = await server._address.Task.WaitAsync(Patience),
            Timeout = Patience,
        };
        await UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        return server;
    }

    /// <summary>Runs the program to its end.</summary>
    /// <returns>Its exit code, standard output and standard error.</returns>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        await using ServerProcess program = Launch(arguments);
        int exitCode = await program.WaitForExitAsync();
        return (exitCode, string.Join('\n', program._log), program.Errors);
    }

    /// <summary>Starts the program without waiting for anything.</summary>
    public static ServerProcess Launch(params string[] arguments) => Launch(StartInfo(arguments));

    private static ServerProcess Launch(ProcessStartInfo start)
    {
        var server = new ServerProcess(new Process { StartInfo = start });
        server._process.OutputDataReceived += (_, line) => server.Read(line.Data);
        server._process.ErrorDataReceived += (_, line) => Enqueue(server._errors, line.Data);
        server._process.Start();
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        return server;
    }

    /// <summary>How the program is started. A shell's background job, as which the tests may run, ignores Ctrl-C and hands
    /// that down; <c>env</c> gives the signal its meaning back.</summary>
    public static ProcessStartInfo StartInfo(params string[] arguments)
    {
        string[] program = ["dotnet", typeof(ServerApplication).Assembly.Location, .. arguments];
        string[] command = OperatingSystem.IsLinux() ? ["env", "--default-signal=INT", .. program] : program;
        return new(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
    }

    /// <summary>Files and sockets that the program has open.</summary>
    public int OpenFiles => Directory.GetFileSystemEntries($"/proc/{_process.Id}/fd").Length;

    /// <summary>Its threads.</summary>
    public int Threads => Directory.GetFileSystemEntries($"/proc/{_process.Id}/task").Length;

    /// <summary>Sends a signal, as <c>INT</c>.</summary>
    public Task SignalAsync(string name) => SignalAsync(_process, name);

    /// <summary>Sends a signal to any process.</summary>
    public static async Task SignalAsync(Process process, string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for the end of the program and of its output.</summary>
    public async Task<int> WaitForExitAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Waits until a condition holds.</summary>
    /// <param name="condition">Asked again and again.</param>
    /// <param name="patience">How long; null = a minute.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan? patience = null)
    {
        using var end = new CancellationTokenSource(patience ?? Patience);
        while (!await condition())
            await Task.Delay(5, end.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Read(string? line)
    {
        Enqueue(_log, line);
        if (line is not null && line.Contains("Listening for peers on {PeerUrl}", StringComparison.Ordinal))
            PeerUrl = JsonDocument.Parse(line).RootElement.GetProperty(nameof(PeerUrl)).GetString();
        if (line is not null && line.Contains("Listening on {Url}", StringComparison.Ordinal))
            _address.TrySetResult(new Uri(JsonDocument.Parse(line).RootElement.GetProperty("Url").GetString()!));
    }

    private static void Enqueue(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
            lines.Enqueue(line);
    }
}
