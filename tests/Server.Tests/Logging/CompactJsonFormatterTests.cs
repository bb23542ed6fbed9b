using System.Text.Json;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serving.Server.Logging;

namespace Serving.Server.Tests.Logging;

public sealed class CompactJsonFormatterTests
{
    [Fact]
    public void Format_AnEvent_IsOneLineOfJson()
    {
        JsonElement line = Format(log => log.Error(new InvalidOperationException("bad\nthing"), "Tell {Who} {Count} things", "Ж\"\n", 3));
        Assert.Equal("Error", line.GetProperty("@l").GetString());
        Assert.Equal("Tell Ж\"\n 3 things", line.GetProperty("@m").GetString());
        Assert.Equal("Tell {Who} {Count} things", line.GetProperty("@mt").GetString());
        Assert.Contains("bad\nthing", line.GetProperty("@x").GetString());
        Assert.Equal("Ж\"\n", line.GetProperty("Who").GetString());
        Assert.Equal(3, line.GetProperty("Count").GetInt32());
        Assert.True(line.GetProperty("@t").GetDateTimeOffset() <= DateTimeOffset.UtcNow);
    }

    private static JsonElement Format(Action<Serilog.ILogger> write)
    {
        using var output = new StringWriter();
        using (Logger log = new LoggerConfiguration().WriteTo.Sink(new FormattingSink(output)).CreateLogger())
            write(log);
        string text = output.ToString();
        Assert.Equal(1, text.Count(c => c == '\n'));
        return JsonDocument.Parse(text).RootElement;
    }

    private sealed class FormattingSink(TextWriter output) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => new CompactJsonFormatter().Format(logEvent, output);
    }
}
