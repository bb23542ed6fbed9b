using System.Text.Json.Serialization.Metadata;

namespace Serving.Server.Completions;

/// <summary>Writes answers that are not streams.</summary>
internal static class AnswerWriter
{
    /// <summary>Writes a whole answer as JSON. A client that leaves it unread for too long is dropped: the server's own limits do
    /// not see it.</summary>
    /// <exception cref="OperationCanceledException">The client left, or was dropped for not reading.</exception>
    public static async Task WriteAnswerAsync<T>(this HttpResponse response, T answer, JsonTypeInfo<T> contract, TimeSpan timeout)
    {
        HttpContext http = response.HttpContext;
        try
        {
            await response.WriteAsJsonAsync(answer, contract, cancellationToken: http.RequestAborted).WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            http.Abort();
            throw new ClientLeftException();
        }
    }
}
