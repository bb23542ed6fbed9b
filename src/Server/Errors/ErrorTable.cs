using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Inference;
using Serving.Inference.Ensembles;
using Serving.Inference.Scheduling;
using Serving.Server.Completions;
using Serving.Server.Ensembles;
using Serving.Server.Json;
using Serving.Server.Models;

namespace Serving.Server.Errors;

/// <summary>The one place where a fault becomes an HTTP answer.</summary>
internal static class ErrorTable
{
    private const string InvalidRequest = "invalid_request_error";
    private const string RateLimit = "rate_limit_error";
    private const string ServerFault = "server_error";

    /// <summary>For the log: nobody reads the answer.</summary>
    public const int ClientClosedRequest = 499;

    /// <summary>The answer to an exception. A fault that is not known here says nothing of itself.</summary>
    public static ApiFailure From(Exception exception) => exception switch
    {
        ApiException known => known.Failure,
        EngineRefusedException { Reason: EngineRefusal.QueueFull } full => QueueFull(full.RetryAfterSeconds),
        EngineRefusedException { Reason: EngineRefusal.ShuttingDown } => ShuttingDown(),
        GenerationFailedException { InnerException: MemberFaultException fault } => MemberFault(fault.MemberId),
        MemberFaultException fault => MemberFault(fault.MemberId),
        GenerationFailedException { InnerException: BackendUnavailableException } => PeersUnavailable(),
        BadHttpRequestException { InnerException: JsonException json } => Invalid([JsonFault.Describe(json)]),
        BadHttpRequestException { InnerException: null } bad when QueryFault.Describe(bad) is { } problem => Invalid([problem]),
        BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } => Invalid([JsonFault.Missing]),
        BadHttpRequestException bad => FromStatus(bad.StatusCode),
        RegexMatchTimeoutException slow => Invalid([new Problem(ErrorCode.InvalidValue, "prompt",
            $"The model's tokenizer could not split the text into words within {slow.MatchTimeout.TotalSeconds:0} s. Break up its longest runs of one kind of character.")]),
        _ => Internal(),
    };

    /// <summary>The answer for a status that the framework chose without a body.</summary>
    public static ApiFailure FromStatus(int status, string? method = null, string? path = null) => status switch
    {
        StatusCodes.Status404NotFound => new(status, new(
            $"There is no {method} {path}. The routes are listed at /openapi/v1.json.", InvalidRequest, null, ErrorCode.NotFound)),
        StatusCodes.Status405MethodNotAllowed => new(status, new(
            $"{path} does not answer {method}; the Allow header lists what it answers.",
            InvalidRequest, null, ErrorCode.MethodNotAllowed)),
        StatusCodes.Status408RequestTimeout => new(status, new(
            "The request arrived too slowly.", InvalidRequest, null, ErrorCode.RequestTimeout), 1),
        StatusCodes.Status413PayloadTooLarge => new(status, new(
            "The body is larger than this server accepts (setting Serving:MaxBodyBytes). Send less text.",
            InvalidRequest, null, ErrorCode.RequestTooLarge)),
        StatusCodes.Status415UnsupportedMediaType => new(status, new(
            "The body must be JSON: send the header 'Content-Type: application/json'.",
            InvalidRequest, null, ErrorCode.UnsupportedMediaType)),
        StatusCodes.Status500InternalServerError => Internal(),
        >= 500 => new(status, new("The server cannot answer.", ServerFault, null, null)),
        _ => new(status, new("The request cannot be answered.", InvalidRequest, null, null)),
    };

    /// <summary>400 that tells every problem; the first one names the field and the code.</summary>
    public static ApiFailure Invalid(IReadOnlyList<Problem> problems) => new(StatusCodes.Status400BadRequest, new(
        string.Join(' ', problems.Select(problem => problem.Message)), InvalidRequest,
        problems[0].Param.Length == 0 ? null : problems[0].Param, problems[0].Code));

    public static ApiFailure ModelNotFound(string id, IEnumerable<string> available, string param = "model") => new(StatusCodes.Status404NotFound, new(
        $"The model '{id}' does not exist. Models of this server: {string.Join(", ", available)}.",
        InvalidRequest, param, ErrorCode.ModelNotFound));

    public static ApiFailure ModelLoading(string id) => new(StatusCodes.Status503ServiceUnavailable, new(
        $"The model '{id}' is still being loaded. Try again in a moment; /health/ready tells when.",
        ServerFault, "model", ErrorCode.ModelLoading), 1);

    public static ApiFailure ModelUnavailable(string id, string reason) =>
        UntilMended($"The model '{id}' could not be loaded: {reason}");

    public static ApiFailure ModelUnloaded(string id) =>
        UntilMended($"The model '{id}' was unloaded. POST /v1/models/{id}/load brings it back.");

    public static ApiFailure ModelNotLoaded(string id, string reason, bool goesOn) => UntilMended(
        $"The model '{id}' could not be loaded: {reason}{(goesOn ? " The version that was loaded before goes on answering." : "")}", "id");

    public static ApiFailure MemoryPressure() => new(StatusCodes.Status503ServiceUnavailable, new(
        "The server is short of memory and takes no new requests until some have finished. Try again in a moment.",
        ServerFault, null, ErrorCode.MemoryPressure), 2);

    public static ApiFailure NoRoomForEnsemble(long neededMiB, long freeMiB) => new(StatusCodes.Status503ServiceUnavailable, new(
        $"This ensemble needs {neededMiB} MiB for keys, values and activations of its members, and {freeMiB} MiB are left. Ask for fewer "
        + "members, or give the server more memory or fewer Serving:Batch:KvTokens.", ServerFault, "model", ErrorCode.MemoryPressure), 30);

    public static ApiFailure MemberFault(string id) => UntilMended(
        $"The member '{id}' of the ensemble answered logits that are not finite: its weights, or this text, break its arithmetic.");

    public static ApiFailure PeersUnavailable() => new(StatusCodes.Status503ServiceUnavailable, new(
        "A model of this request is computed by other servers, and none of them answers. It is never left out of an ensemble. Try again in a moment.",
        ServerFault, "model", ErrorCode.MemberUnavailable), 2);

    public static ApiFailure MemberMissing(string ensemble, string member) => UntilMended(
        $"The ensemble '{ensemble}' cannot answer: its member '{member}' is not among the models of this server.");

    public static ApiFailure IncompatibleExperts(ServedModel one, ServedModel other) => new(StatusCodes.Status409Conflict, new(
        "Only experts with one vocabulary and tokenizer can be averaged: "
        + $"'{one.Id}' has {one.VocabularySize} tokens of tokenizer {one.Tokenizer.Fingerprint}, "
        + $"'{other.Id}' has {other.VocabularySize} tokens of tokenizer {other.Tokenizer.Fingerprint}. "
        + "Name models whose tokenizer_fingerprint and vocab_size in /v1/models are equal.",
        InvalidRequest, "model", ErrorCode.IncompatibleExperts));

    public static ApiFailure NotAModel(EnsembleEntry ensemble) => Invalid([new Problem(ErrorCode.InvalidValue, "id",
        $"'{ensemble.Id}' is an ensemble, which has no table and no logits of its own. Name one of its members: "
        + $"{string.Join(", ", ensemble.Definition.Experts.Select(expert => expert.Model).Distinct())}.")]);

    public static ApiFailure TokenNotFound(string id, int token, int rows) => new(StatusCodes.Status404NotFound, new(
        $"The model '{id}' has no token {token}: its ids go from 0 to {rows - 1}.", InvalidRequest, "token", ErrorCode.NotFound));

    public static ApiFailure NoPictures(string id, string source) => new(StatusCodes.Status404NotFound, new(
        $"The table of '{id}' was not made of pictures (its source is '{source}'), so that none can be rebuilt from it.",
        InvalidRequest, "id", ErrorCode.NotFound));

    public static ApiFailure NothingToInspect(string id) => new(StatusCodes.Status404NotFound, new(
        $"What the model '{id}' reads is not known to this server.", InvalidRequest, "id", ErrorCode.NotFound));

    public static ApiFailure EnsemblesBusy(int engines) => new(StatusCodes.Status429TooManyRequests, new(
        $"All {engines} engines for sums and ensembles without a name are busy. Try again in a moment, or name the ensemble in "
        + "ensembles.json.", RateLimit, "model", ErrorCode.QueueFull), 1);

    public static ApiFailure ComparisonsBusy(int waiting) => new(StatusCodes.Status429TooManyRequests, new(
        $"{waiting} comparisons wait already, as many as may. Try again in a moment.", RateLimit, null, ErrorCode.QueueFull), 1);

    public static ApiFailure InvalidApiKey(bool isMissing) => new(StatusCodes.Status401Unauthorized, new(
        isMissing ? "An API key is required: send the header 'Authorization: Bearer KEY'." : "This API key is not valid here. Check it, or ask the operator for one.",
        InvalidRequest, null, ErrorCode.InvalidApiKey));

    public static ApiFailure InsufficientScope() => new(StatusCodes.Status403Forbidden, new(
        "This route needs a key with the scope admin.", InvalidRequest, null, ErrorCode.InsufficientScope));

    public static ApiFailure RateLimited(string what, int perMinute, int retryAfterSeconds) => new(StatusCodes.Status429TooManyRequests, new(
        $"This key may use {perMinute} {what} a minute, and they are used up. Try again in {retryAfterSeconds} s.",
        RateLimit, null, ErrorCode.RateLimitExceeded), retryAfterSeconds);

    public static ApiFailure KeyHoldsTooMuch(int mostAnswers) => new(StatusCodes.Status429TooManyRequests, new(
        $"This key may have {mostAnswers} answers under way at once, so that others get in too. Wait for some of them.",
        RateLimit, null, ErrorCode.RateLimitExceeded), 1);

    public static ApiFailure QueueFull(int retryAfterSeconds) => new(StatusCodes.Status429TooManyRequests, new(
        $"The queue of this model is full. Try again in {retryAfterSeconds} s.", RateLimit, null, ErrorCode.QueueFull),
        Math.Clamp(retryAfterSeconds, 1, 120));

    public static ApiFailure ShuttingDown() => new(StatusCodes.Status503ServiceUnavailable, new(
        "The server is shutting down. Try again in a moment.", ServerFault, null, ErrorCode.ShuttingDown), 1);

    public static ApiFailure AnswerTooSlow(int seconds) => new(StatusCodes.Status504GatewayTimeout, new(
        $"The answer was not complete after {seconds} s (setting Serving:AnswerSeconds). Ask for fewer tokens, or for a stream.",
        ServerFault, null, ErrorCode.RequestTimeout));

    public static ApiFailure Internal() => new(StatusCodes.Status500InternalServerError, new(
        "The server failed to answer this request; others are not affected. Its log has the reason under this request id.",
        ServerFault, null, ErrorCode.InternalError));

    // Time alone helps nothing: Retry-After is for those who know that somebody is at it.
    private static ApiFailure UntilMended(string message, string param = "model") => new(
        StatusCodes.Status503ServiceUnavailable, new(message, ServerFault, param, ErrorCode.MemberUnavailable), 30) { IsPermanent = true };
}
