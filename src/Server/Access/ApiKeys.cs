using System.Security.Cryptography;
using System.Text;

namespace Serving.Server.Access;

/// <summary>The keys of the configuration. Immutable but for what the keys have left.</summary>
internal sealed class ApiKeys(IEnumerable<KeyOptions> options, TimeProvider time)
{
    private readonly ApiKey[] _keys = [.. options.Select((key, i) => new ApiKey(
        key.Name!, Convert.FromHexString(key.Sha256!), key.Scope == "admin", i + 1,
        key.RequestsPerMinute > 0 ? new Allowance(key.RequestsPerMinute, time) : null,
        key.TokensPerMinute > 0 ? new Allowance(key.TokensPerMinute, time) : null))];

    /// <summary>How many there are; without any, everybody may ask everything.</summary>
    public int Count => _keys.Length;

    /// <summary>The key that was presented; null when there is no such key. The time that it takes tells nothing of how much of a
    /// key was right: hashes are compared, all of them, and each whole.</summary>
    public ApiKey? Find(string presented)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(presented), hash);
        ApiKey? found = null;
        foreach (ApiKey key in _keys)
            found = CryptographicOperations.FixedTimeEquals(key.Hash, hash) ? key : found;
        return found;
    }
}
