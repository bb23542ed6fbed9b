using System.Buffers;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Serving.Server.Completions;

/// <summary>
/// Server-sent events on a response. A client that leaves them unread for too long is dropped: the server's own limits do not
/// see it, and its buffers would grow. Not thread-safe.
/// </summary>
internal sealed class EventStream(HttpResponse response, TimeSpan writeTimeout) : IDisposable
{
    private readonly Utf8JsonWriter _json =
        new(response.BodyWriter, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private PipeWriter Output => response.BodyWriter;

    /// <summary>Sets the headers; they leave with the first flush.</summary>
    public void Open()
    {
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    /// <summary>Writes an event with one line of JSON. It leaves with the next flush.</summary>
    public void Data<T>(T value, JsonTypeInfo<T> contract)
    {
        Write("data: "u8);
        _json.Reset(Output);
        JsonSerializer.Serialize(_json, value, contract);
        _json.Flush();
        Write("\n\n"u8);
    }

    /// <summary>Writes the event after which there is none.</summary>
    public void Done() => Write("data: [DONE]\n\n"u8);

    /// <summary>Writes a comment, which clients skip.</summary>
    public void KeepAlive() => Write(": keep-alive\n\n"u8);

    /// <summary>Sends what was written.</summary>
    /// <exception cref="OperationCanceledException">The client left, or was dropped for not reading.</exception>
    public async ValueTask FlushAsync()
    {
        CancellationToken left = response.HttpContext.RequestAborted;
        ValueTask<FlushResult> flush = Output.FlushAsync(left);
        if (flush.IsCompletedSuccessfully)
            _ = flush.Result;
        else
            await WaitAsync(flush.AsTask());
        left.ThrowIfCancellationRequested();
    }

    public void Dispose() => _json.Dispose();

    private async Task WaitAsync(Task flush)
    {
        try
        {
            await flush.WaitAsync(writeTimeout);
        }
        catch (TimeoutException)
        {
            response.HttpContext.Abort();
            throw new ClientLeftException();
        }
    }

    private void Write(ReadOnlySpan<byte> bytes) => Output.Write(bytes);
}
