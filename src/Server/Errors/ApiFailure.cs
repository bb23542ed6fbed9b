namespace Serving.Server.Errors;

/// <summary>An error and how HTTP carries it.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Error">The body.</param>
/// <param name="RetryAfterSeconds">1 to 120, when another attempt may succeed.</param>
internal sealed record ApiFailure(int Status, ApiError Error, int? RetryAfterSeconds = null)
{
    /// <summary>Whether the same request would fail again until somebody mends something: clients that retry by themselves are told
    /// not to.</summary>
    public bool IsPermanent { get; init; } = RetryAfterSeconds is null && Status != StatusCodes.Status500InternalServerError;

    /// <summary>The same failure, blamed on another field.</summary>
    public ApiFailure About(string param) => this with { Error = Error with { Param = param } };
}
