using Serilog;
using Serilog.Events;
using Serilog.Settings.Configuration;
using Serving.Server.Completions;

namespace Serving.Server.Logging;

/// <summary>The server's log: JSON lines on stdout. Levels can be set in the section <c>Serilog:MinimumLevel</c>.</summary>
internal static class ServerLog
{
    public static Serilog.Core.Logger Create(IConfiguration configuration) => new LoggerConfiguration()
        .MinimumLevel.Information()
        .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
        .ReadFrom.Configuration(configuration, new ConfigurationReaderOptions { SectionName = "Serilog" })
        .Enrich.FromLogContext()
        .Filter.ByExcluding(IsToldElsewhere)
        .WriteTo.Console(new CompactJsonFormatter())
        .CreateLogger();

    // A broken stream is logged where it breaks; a server that cannot start says so in three lines.
    private static bool IsToldElsewhere(LogEvent logEvent) =>
        logEvent.Exception is BrokenStreamException || logEvent.MessageTemplate.Text == "Hosting failed to start";
}
