namespace Serving.Server.Access;

/// <summary>A key that this server knows. Thread-safe.</summary>
/// <param name="Name">For the log.</param>
/// <param name="Hash">SHA-256 of the key.</param>
/// <param name="IsAdmin">Whether admin routes are open to it.</param>
/// <param name="Scope">1 or more: keys share no cached prefixes and take turns in the queue.</param>
/// <param name="Requests">What is left of its requests; null = no limit.</param>
/// <param name="Tokens">What is left of its tokens; null = no limit.</param>
internal sealed record ApiKey(string Name, byte[] Hash, bool IsAdmin, long Scope, Allowance? Requests, Allowance? Tokens)
{
    private int _answersInFlight;

    /// <summary>Takes places for answers, if the key then holds no more than <paramref name="most"/>.</summary>
    public bool TryHold(int answers, int most)
    {
        if (Interlocked.Add(ref _answersInFlight, answers) <= most)
            return true;
        Release(answers);
        return false;
    }

    /// <summary>Gives places back.</summary>
    public void Release(int answers) => Interlocked.Add(ref _answersInFlight, -answers);
}
