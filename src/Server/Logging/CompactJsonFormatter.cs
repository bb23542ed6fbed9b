using System.Globalization;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Formatting.Json;

namespace Serving.Server.Logging;

/// <summary>One JSON object a line: <c>@t</c> time, <c>@l</c> level, <c>@m</c> message, <c>@mt</c> its template, <c>@x</c>
/// exception, <c>@tr</c> and <c>@sp</c> trace and span, then the properties.</summary>
internal sealed class CompactJsonFormatter : ITextFormatter
{
    private static readonly JsonValueFormatter Values = new(typeTagName: null);
    private static readonly MessageTemplateTextFormatter Message = new("{Message:lj}", CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        output.Write($"{{\"@t\":\"{logEvent.Timestamp.UtcDateTime:O}\",\"@l\":\"{logEvent.Level}\"");
        WriteText("@m", Rendered(logEvent), output);
        WriteText("@mt", logEvent.MessageTemplate.Text, output);
        if (logEvent.Exception is { } exception)
            WriteText("@x", exception.ToString(), output);
        if (logEvent.TraceId is { } trace)
            WriteText("@tr", trace.ToHexString(), output);
        if (logEvent.SpanId is { } span)
            WriteText("@sp", span.ToHexString(), output);
        foreach ((string name, LogEventPropertyValue value) in logEvent.Properties)
        {
            WriteName(name, output);
            Values.Format(value, output);
        }
        output.WriteLine('}');
    }

    private static string Rendered(LogEvent logEvent)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        Message.Format(logEvent, text);
        return text.ToString();
    }

    private static void WriteName(string name, TextWriter output)
    {
        output.Write(',');
        JsonValueFormatter.WriteQuotedJsonString(name, output);
        output.Write(':');
    }

    private static void WriteText(string name, string text, TextWriter output)
    {
        WriteName(name, output);
        JsonValueFormatter.WriteQuotedJsonString(text, output);
    }
}
