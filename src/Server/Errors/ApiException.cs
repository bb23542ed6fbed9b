namespace Serving.Server.Errors;

/// <summary>Ends a request with an answer from <see cref="ErrorTable"/>.</summary>
internal sealed class ApiException(ApiFailure failure) : Exception(failure.Error.Message)
{
    public ApiFailure Failure { get; } = failure;
}
