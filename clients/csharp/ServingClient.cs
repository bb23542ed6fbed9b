using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Serving.Client;

/// <summary>A client of one server. Thread-safe. Every method throws <see cref="ServingException"/> for what the server refuses and
/// <see cref="HttpRequestException"/> when it cannot be reached.</summary>
public sealed class ServingClient : IDisposable
{
    private static readonly ClientJson Json = ClientJson.Default;

    private readonly HttpClient _http;

    /// <summary>A client with connections of its own.</summary>
    /// <param name="server">The server's root, as <c>http://127.0.0.1:8080</c>.</param>
    /// <param name="key">An API key, where the server has keys.</param>
    public ServingClient(Uri server, string? key = null)
        : this(new HttpClient { BaseAddress = server, Timeout = TimeSpan.FromMinutes(5) }, key)
    {
    }

    /// <summary>A client over a given one, which it owns from now on.</summary>
    /// <param name="http">Its <see cref="HttpClient.BaseAddress"/> is the server's root.</param>
    /// <param name="key">An API key, where the server has keys.</param>
    public ServingClient(HttpClient http, string? key = null)
    {
        ArgumentNullException.ThrowIfNull(http);
        _http = http;
        if (key is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Continues a text.</summary>
    public Task<Completion> CompleteAsync(CompletionRequest request, CancellationToken cancellation = default) =>
        PostAsync("v1/completions", request, Json.CompletionRequest, Json.Completion, cancellation);

    /// <summary>Continues a text piece by piece; the last piece has no choice, but the usage.</summary>
    /// <exception cref="ServingException">Also when the stream cannot finish: what came before is good.</exception>
    public IAsyncEnumerable<Completion> StreamAsync(CompletionRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return EventsAsync("v1/completions", request with { Stream = true, StreamOptions = new StreamOptions(true) },
            Json.CompletionRequest, Json.Completion, cancellation);
    }

    /// <summary>Answers a conversation.</summary>
    public Task<ChatCompletion> ChatAsync(ChatRequest request, CancellationToken cancellation = default) =>
        PostAsync("v1/chat/completions", request, Json.ChatRequest, Json.ChatCompletion, cancellation);

    /// <summary>Answers a conversation piece by piece.</summary>
    public IAsyncEnumerable<ChatChunk> StreamChatAsync(ChatRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return EventsAsync("v1/chat/completions", request with { Stream = true }, Json.ChatRequest, Json.ChatChunk, cancellation);
    }

    /// <summary>Turns texts into vectors: one for each.</summary>
    public async Task<IReadOnlyList<float[]>> EmbedAsync(EmbeddingRequest request, CancellationToken cancellation = default)
    {
        ListOf<EmbeddingEntry> answer = await PostAsync(
            "v1/embeddings", request, Json.EmbeddingRequest, Json.EmbeddingEntries, cancellation).ConfigureAwait(false);
        return [.. answer.Data.Select(entry => entry.Embedding)];
    }

    /// <summary>Cuts a text into tokens.</summary>
    public Task<Tokenization> TokenizeAsync(string model, string text, bool parseSpecialTokens = false, CancellationToken cancellation = default) =>
        PostAsync("tokenize", new TokenizeRequest(model, text, parseSpecialTokens ? "parse" : null), Json.TokenizeRequest, Json.Tokenization, cancellation);

    /// <summary>Joins tokens to a text.</summary>
    public async Task<string> DetokenizeAsync(string model, IReadOnlyList<int> tokens, CancellationToken cancellation = default) =>
        (await PostAsync("detokenize", new DetokenizeRequest(model, tokens), Json.DetokenizeRequest, Json.Detokenization, cancellation)
            .ConfigureAwait(false)).Prompt;

    /// <summary>All models and named ensembles.</summary>
    public async Task<IReadOnlyList<ModelInfo>> ModelsAsync(CancellationToken cancellation = default) =>
        (await GetAsync("v1/models", Json.ModelInfos, cancellation).ConfigureAwait(false)).Data;

    /// <summary>One model, ensemble or sum of models.</summary>
    public Task<ModelInfo> ModelAsync(string model, CancellationToken cancellation = default) =>
        GetAsync($"v1/models/{Escape(model)}", Json.ModelInfo, cancellation);

    /// <summary>The named ensembles with their weights.</summary>
    public async Task<IReadOnlyList<EnsembleInfo>> EnsemblesAsync(CancellationToken cancellation = default) =>
        (await GetAsync("v1/ensembles", Json.EnsembleInfos, cancellation).ConfigureAwait(false)).Data;

    /// <summary>Defines an ensemble, or gives it other weights. Needs the scope admin.</summary>
    public async Task<EnsembleInfo> PutEnsembleAsync(string name, EnsembleDefinition definition, CancellationToken cancellation = default)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Put, $"v1/ensembles/{Escape(name)}") { Content = JsonContent.Create(definition, Json.EnsembleDefinition) },
            HttpCompletionOption.ResponseContentRead, cancellation).ConfigureAwait(false);
        return await ReadAsync(response, Json.EnsembleInfo, cancellation).ConfigureAwait(false);
    }

    /// <summary>Removes an ensemble. Needs the scope admin.</summary>
    public async Task DeleteEnsembleAsync(string name, CancellationToken cancellation = default)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Delete, $"v1/ensembles/{Escape(name)}"), HttpCompletionOption.ResponseContentRead, cancellation).ConfigureAwait(false);
    }

    /// <summary>Lets several models continue one prompt.</summary>
    public Task<GeneratedComparison> CompareAsync(CompareRequest request, CancellationToken cancellation = default) =>
        PostAsync("v1/compare", request, Json.CompareRequest, Json.GeneratedComparison, cancellation);

    /// <summary>Asks 1 to 8 models how likely they find a text.</summary>
    /// <param name="models">Models, ensembles or sums.</param>
    /// <param name="text">The text.</param>
    /// <param name="leaveOneOut">Score every ensemble without each of its members, too.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<ScoredComparison> ScoreAsync(
        IReadOnlyList<string> models, string text, bool leaveOneOut = false, CancellationToken cancellation = default) =>
        PostAsync("v1/compare", new ScoreRequest(models, text, leaveOneOut), Json.ScoreRequest, Json.ScoredComparison, cancellation);

    /// <summary>The table that a model reads.</summary>
    public Task<TableDescription> TableAsync(string model, CancellationToken cancellation = default) =>
        GetAsync(TablePath(model), Json.TableDescription, cancellation);

    /// <summary>One token.</summary>
    /// <param name="model">The model.</param>
    /// <param name="token">Its id.</param>
    /// <param name="withVector">Whether to bring its vector.</param>
    /// <param name="neighbors">How many of the nearest tokens to bring.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<TokenDescription> TokenAsync(
        string model, int token, bool withVector = false, int neighbors = 0, CancellationToken cancellation = default)
    {
        string[] options = [.. new[] { withVector ? "vector=true" : null, neighbors > 0 ? $"neighbors={Text(neighbors)}" : null }.OfType<string>()];
        return GetAsync($"{TablePath(model)}/{Text(token)}{(options.Length > 0 ? "?" : "")}{string.Join('&', options)}", Json.TokenDescription, cancellation);
    }

    /// <summary>The picture of a token, as PNG.</summary>
    public async Task<byte[]> GlyphAsync(string model, int token, int scale = 1, CancellationToken cancellation = default)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Get, $"{TablePath(model)}/{Text(token)}/glyph.png?scale={Text(scale)}"), HttpCompletionOption.ResponseContentRead, cancellation)
            .ConfigureAwait(false);
        return await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The tokens of a text.</summary>
    public async Task<IReadOnlyList<TokenDescription>> LookUpAsync(string model, string text, CancellationToken cancellation = default) =>
        (await GetAsync($"{TablePath(model)}/lookup?text={Escape(text)}", Json.TokenDescriptions, cancellation).ConfigureAwait(false)).Data;

    /// <summary>The picture that a token's vector holds, rebuilt from the vector. Only of a table of source <c>glyph</c>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="token">The token's id.</param>
    /// <param name="components">How many of the vector's first numbers to use; null = all.</param>
    /// <param name="cancellation">Ends the request.</param>
    public Task<RebuiltGlyph> RebuildAsync(string model, int token, int? components = null, CancellationToken cancellation = default) =>
        GetAsync($"{TablePath(model)}/{Text(token)}/rebuilt{(components is { } kept ? $"?components={Text(kept)}" : "")}", Json.RebuiltGlyph, cancellation);

    /// <summary>Cosines between texts, each taken as the mean of its tokens' vectors.</summary>
    public Task<Similarity> SimilarityAsync(string model, IReadOnlyList<string> texts, CancellationToken cancellation = default) =>
        PostAsync($"{TablePath(model)}/similarity", new SimilarityRequest(texts), Json.SimilarityRequest, Json.Similarity, cancellation);

    /// <summary>Two principal coordinates of the tokens of a text.</summary>
    public Task<TokenMap> MapAsync(string model, string text, CancellationToken cancellation = default) =>
        GetAsync($"{TablePath(model)}/map?text={Escape(text)}", Json.TokenMap, cancellation);

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private static string TablePath(string model) => $"v1/models/{Escape(model)}/embeddings";

    private static string Escape(string text) => Uri.EscapeDataString(text);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> contract, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Get, path), HttpCompletionOption.ResponseContentRead, cancellation).ConfigureAwait(false);
        return await ReadAsync(response, contract, cancellation).ConfigureAwait(false);
    }

    private async Task<T> PostAsync<TRequest, T>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestContract, JsonTypeInfo<T> contract, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Post, path) { Content = JsonContent.Create(request, requestContract) }, HttpCompletionOption.ResponseContentRead, cancellation)
            .ConfigureAwait(false);
        return await ReadAsync(response, contract, cancellation).ConfigureAwait(false);
    }

    private async IAsyncEnumerable<T> EventsAsync<TRequest, T>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestContract, JsonTypeInfo<T> contract,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using HttpResponseMessage response = await SendAsync(
            new(HttpMethod.Post, path) { Content = JsonContent.Create(request, requestContract) }, HttpCompletionOption.ResponseHeadersRead, cancellation)
            .ConfigureAwait(false);
        using Stream body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await foreach (SseItem<string> item in SseParser.Create(body).EnumerateAsync(cancellation).ConfigureAwait(false))
        {
            if (item.Data == "[DONE]")
                yield break;
            if (item.Data.StartsWith("{\"error\":", StringComparison.Ordinal))
                throw FaultOf(response, item.Data);
            yield return JsonSerializer.Deserialize(item.Data, contract)!;
        }
        throw new ServingException("The stream ended before it was complete.", response.StatusCode) { RequestId = RequestIdOf(response) };
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellation)
    {
        using (request)
        {
            HttpResponseMessage response = await _http.SendAsync(request, completion, cancellation).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
                throw FaultOf(response, await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false));
        }
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> contract, CancellationToken cancellation) =>
        await response.Content.ReadFromJsonAsync(contract, cancellation).ConfigureAwait(false)
        ?? throw new ServingException("The answer is null.", response.StatusCode);

    private static ServingException FaultOf(HttpResponseMessage response, string body)
    {
        (string? message, string? code, string? param) = Describe(body);
        return new ServingException(message ?? $"The server answered {(int)response.StatusCode}.", response.StatusCode)
        {
            Code = code,
            Param = param,
            RequestId = RequestIdOf(response),
            RetryAfter = response.Headers.RetryAfter?.Delta,
        };
    }

    // A proxy in between may answer something that is no JSON.
    private static (string? Message, string? Code, string? Param) Describe(string body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, Json.Failure)?.Error is { } error)
                return (error.Message, error.Code, error.Param);
            return JsonSerializer.Deserialize(body, Json.ProblemDetails) is { } problem ? (problem.Detail, problem.Code, problem.Param) : default;
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string? RequestIdOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("x-request-id", out IEnumerable<string>? ids) ? ids.FirstOrDefault() : null;
}
