using System.CommandLine;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Serving.Server.Hosting;
using Serving.Server.Models;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>serve</c>: answers HTTP until Ctrl-C.</summary>
internal static class ServeCommand
{
    // Before it: request smuggling and two more, fixed in ASP.NET Core's October 2026 servicing.
    private static readonly Version SafeRuntime = new(10, 0, 13);

    private const string SettingPrefix = "--" + ServingOptions.Section + ":";

    public static Command Create()
    {
        var urls = new Option<string?>("--urls")
        {
            Description = "The address to listen on, or several separated by ';'. Default: http://127.0.0.1:8080. Port 0 chooses a free one.",
            HelpName = "URL",
        };
        var command = new Command("serve", $"""
            Serves every model of a folder over HTTP.

            Example:
              serve --models models --urls http://127.0.0.1:8080
            Any setting can be given, too:
              serve {SettingPrefix}ShutdownSeconds=60
            """)
        {
            CommonOptions.Models, urls, CommonOptions.Quantize, CommonOptions.Threads, CommonOptions.Device, CommonOptions.Precision, CommonOptions.Verbose,
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, _) => RunAsync(
            parsed.GetValue(CommonOptions.Models) ?? [], parsed.GetValue(urls), [.. parsed.UnmatchedTokens, .. MachineSettings(parsed)]));
        return command;
    }

    private static async Task<int> RunAsync(string[] models, string? urls, IReadOnlyList<string> settings)
    {
        using var signals = new StopSignals();
        await using WebApplication app = ServerApplication.Build(Arguments(models, urls, settings), services => services.AddSingleton(signals));
        ModelCatalog catalog = app.Services.GetRequiredService<ModelCatalog>();
        try
        {
            await app.StartAsync();
            Announce(app, catalog);
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Told to stop while it started, by a signal or because no model could be loaded: that is an end like any other.
        }
        await app.WaitForShutdownAsync();
        app.Logger.LogInformation("Stopped");
        return catalog.HasNone
            ? throw new CommandLineException(ExitCode.BadModelFile, "None of the models could be loaded.",
                string.Join(", ", catalog.Entries.Select(entry => entry.Folder.Path)), "The log above tells what is wrong with each.")
            : ExitCode.Ok;
    }

    private static void Announce(WebApplication app, ModelCatalog catalog)
    {
        if (Environment.Version < SafeRuntime)
            app.Logger.LogWarning("The .NET runtime {Runtime} has known security faults; use {SafeRuntime} or newer", $"{Environment.Version}", $"{SafeRuntime}");
        foreach (string address in app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [])
            app.Logger.LogInformation("Listening on {Url}; loading {Models}", address, catalog.Ids.ToArray());
    }

    private static IEnumerable<string> MachineSettings(ParseResult parsed)
    {
        if (parsed.GetResult(CommonOptions.Quantize) is { Implicit: false })
            yield return $"{SettingPrefix}{nameof(ServingOptions.Quantize)}={CommonOptions.NameOf(parsed.GetValue(CommonOptions.Quantize))}";
        if (parsed.GetResult(CommonOptions.Threads) is { Implicit: false })
            yield return $"{SettingPrefix}{nameof(ServingOptions.Threads)}={parsed.GetValue(CommonOptions.Threads)}";
        if (parsed.GetResult(CommonOptions.Device) is { Implicit: false })
            yield return $"{SettingPrefix}{nameof(ServingOptions.Device)}={parsed.GetValue(CommonOptions.Device)}";
        if (parsed.GetResult(CommonOptions.Precision) is { Implicit: false })
            yield return $"{SettingPrefix}{nameof(ServingOptions.Precision)}={parsed.GetValue(CommonOptions.Precision)}";
    }

    private static string[] Arguments(string[] models, string? urls, IReadOnlyList<string> settings)
    {
        if (settings.FirstOrDefault(setting => !IsSetting(setting)) is { } unknown)
        {
            throw new CommandLineException(ExitCode.Usage, $"'{unknown}' is not an option of serve.", "the command line",
                $"'serve --help' lists the options; a setting is written {SettingPrefix}NAME=VALUE.");
        }
        var arguments = new List<string>(settings);
        if (models.Length > 0)
            arguments.Add($"{SettingPrefix}Models={string.Join(Path.PathSeparator, models.Select(Path.GetFullPath))}");
        if (urls is not null)
            arguments.Add($"--urls={urls}");
        return [.. arguments];
    }

    private static bool IsSetting(string argument) =>
        argument.StartsWith(SettingPrefix, StringComparison.OrdinalIgnoreCase) && argument.Contains('=', StringComparison.Ordinal);
}
