namespace Serving.Glyphs.Embeddings;

/// <summary>
/// MT19937 (Matsumoto and Nishimura 1998) as NumPy seeds and reads it: the published tables' noise comes from
/// <c>numpy.random.seed(42); numpy.random.rand(h, w)</c>.
/// </summary>
internal sealed class MersenneTwister
{
    private const int StateWords = 624;
    private const int MiddleWord = 397;

    private readonly uint[] _state = new uint[StateWords];
    private int _next = StateWords;

    public MersenneTwister(uint seed)
    {
        _state[0] = seed;
        for (uint i = 1; i < StateWords; i++) _state[i] = (1_812_433_253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + i;
    }

    /// <summary>A double in [0, 1) of 53 random bits.</summary>
    public double NextDouble() => (((NextWord() >> 5) * 67_108_864.0) + (NextWord() >> 6)) / 9_007_199_254_740_992.0;

    private uint NextWord()
    {
        if (_next == StateWords) Twist();
        uint y = _state[_next++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C5680;
        y ^= (y << 15) & 0xEFC60000;
        return y ^ (y >> 18);
    }

    private void Twist()
    {
        for (int i = 0; i < StateWords; i++)
        {
            uint y = (_state[i] & 0x80000000) | (_state[(i + 1) % StateWords] & 0x7FFFFFFF);
            _state[i] = _state[(i + MiddleWord) % StateWords] ^ (y >> 1) ^ ((y & 1) * 0x9908B0DF);
        }

        _next = 0;
    }
}
