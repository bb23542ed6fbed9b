using System.Globalization;
using Serving.Server.Errors;

namespace Serving.Server.Access;

/// <summary>What one request takes of its key's allowances, and tells of them in its answer's headers. Made for one request.</summary>
internal sealed class KeyUse
{
    private readonly ApiKey _key;
    private readonly int _mostAnswers;
    private long _tokens;
    private int _answers;

    /// <param name="key">The key.</param>
    /// <param name="http">The request.</param>
    /// <param name="mostAnswers">Answers that one key may have under way.</param>
    public KeyUse(ApiKey key, HttpContext http, int mostAnswers)
    {
        (_key, _mostAnswers) = (key, mostAnswers);
        http.Response.OnStarting(() =>
        {
            WriteHeaders(http.Response.Headers);
            return Task.CompletedTask;
        });
    }

    /// <summary>See <see cref="ApiKey.Scope"/>.</summary>
    public long Scope => _key.Scope;

    /// <summary>The use that a request makes of its key; null when keys are not asked for.</summary>
    public static KeyUse? Of(HttpContext http) => http.Features.Get<KeyUse>();

    /// <exception cref="ApiException">429: the key's requests are used up.</exception>
    public void TakeRequest()
    {
        if (_key.Requests is { } allowance && !allowance.TryTake(1, out _, out int retry))
            throw new ApiException(ErrorTable.RateLimited("requests", allowance.PerMinute, retry));
    }

    /// <summary>Takes what generation will need at most.</summary>
    /// <param name="tokens">Of prompts and answers.</param>
    /// <param name="answers">Places in the engine.</param>
    /// <exception cref="ApiException">429: the key's tokens are used up, or it holds too many places.</exception>
    public void Take(long tokens, int answers)
    {
        if (!_key.TryHold(answers, _mostAnswers))
            throw new ApiException(ErrorTable.KeyHoldsTooMuch(_mostAnswers));
        _answers = answers;
        if (_key.Tokens is not { } allowance)
            return;
        if (!allowance.TryTake(tokens, out long taken, out int retry))
            throw new ApiException(ErrorTable.RateLimited("tokens", allowance.PerMinute, retry));
        _tokens = taken;
    }

    /// <summary>Ends the use: gives back what was not needed.</summary>
    /// <param name="tokens">What was.</param>
    public void Settle(long tokens)
    {
        _key.Release(_answers);
        _key.Tokens?.GiveBack(_tokens - tokens);
        (_tokens, _answers) = (0, 0);
    }

    private void WriteHeaders(IHeaderDictionary headers)
    {
        Write(headers, "requests", _key.Requests);
        Write(headers, "tokens", _key.Tokens);
    }

    private static void Write(IHeaderDictionary headers, string kind, Allowance? allowance)
    {
        if (allowance is null)
            return;
        (long remaining, TimeSpan reset) = allowance.State;
        headers[$"x-ratelimit-limit-{kind}"] = allowance.PerMinute.ToString(CultureInfo.InvariantCulture);
        headers[$"x-ratelimit-remaining-{kind}"] = remaining.ToString(CultureInfo.InvariantCulture);
        headers[$"x-ratelimit-reset-{kind}"] = string.Create(CultureInfo.InvariantCulture, $"{reset.TotalSeconds:0.###}s");
    }
}
