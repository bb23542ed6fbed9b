namespace Serving.Server.Errors;

/// <summary>What went wrong, in OpenAI's words. All four fields are always written; the last two may be null.</summary>
/// <param name="Message">What was wrong, what was expected, what was given and what to do.</param>
/// <param name="Type">The family: <c>invalid_request_error</c>, <c>rate_limit_error</c>, <c>server_error</c>.</param>
/// <param name="Param">The path of the field at fault.</param>
/// <param name="Code">One of <see cref="ErrorCode"/>.</param>
internal sealed record ApiError(string Message, string Type, string? Param, string? Code);

/// <summary>The body of every answer under <c>/v1</c> that is not a success.</summary>
/// <param name="Error">The error.</param>
internal sealed record ApiErrorResponse(ApiError Error);
