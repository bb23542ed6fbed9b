namespace Serving.Server.Errors;

/// <summary>The closed set of codes that clients may match on.</summary>
internal static class ErrorCode
{
    public const string InvalidValue = "invalid_value";
    public const string InvalidJson = "invalid_json";
    public const string UnsupportedParameter = "unsupported_parameter";
    public const string ContextLengthExceeded = "context_length_exceeded";
    public const string InvalidApiKey = "invalid_api_key";
    public const string InsufficientScope = "insufficient_scope";
    public const string RateLimitExceeded = "rate_limit_exceeded";
    public const string ModelNotFound = "model_not_found";
    public const string NotFound = "not_found";
    public const string MethodNotAllowed = "method_not_allowed";
    public const string IncompatibleExperts = "incompatible_experts";
    public const string RequestTooLarge = "request_too_large";
    public const string UnsupportedMediaType = "unsupported_media_type";
    public const string RequestTimeout = "request_timeout";
    public const string QueueFull = "queue_full";
    public const string ShuttingDown = "shutting_down";
    public const string ModelLoading = "model_loading";
    public const string MemberUnavailable = "member_unavailable";
    public const string MemoryPressure = "memory_pressure";
    public const string InternalError = "internal_error";
}
