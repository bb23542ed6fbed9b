namespace Serving.Inference.Sampling;

/// <summary>
/// Philox4x32-10, a counter-based generator: the n-th draw of a seed is a pure function of both, so a request's draws do
/// not depend on its neighbours, on preemption or on the machine.
/// </summary>
/// <remarks>Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3 (SC'11).</remarks>
internal static class Philox
{
    /// <summary>A number of [0, 1) with 53 random bits.</summary>
    /// <param name="seed">The stream.</param>
    /// <param name="index">The place in the stream.</param>
    public static double NextDouble(ulong seed, ulong index)
    {
        (uint first, uint second, _, _) = Block(seed, index, 0);
        return ((((ulong)first << 32) | second) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>The 128 random bits of a 64-bit key and a 128-bit counter.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(ulong key, ulong counterLow, ulong counterHigh)
    {
        (uint k0, uint k1) = ((uint)key, (uint)(key >> 32));
        (uint x0, uint x1) = ((uint)counterLow, (uint)(counterLow >> 32));
        (uint x2, uint x3) = ((uint)counterHigh, (uint)(counterHigh >> 32));
        for (int round = 0; round < 10; round++)
        {
            ulong product0 = 0xD2511F53UL * x0;
            ulong product1 = 0xCD9E8D57UL * x2;
            (x0, x1) = ((uint)(product1 >> 32) ^ x1 ^ k0, (uint)product1);
            (x2, x3) = ((uint)(product0 >> 32) ^ x3 ^ k1, (uint)product0);
            unchecked
            {
                k0 += 0x9E3779B9;
                k1 += 0xBB67AE85;
            }
        }
        return (x0, x1, x2, x3);
    }
}
