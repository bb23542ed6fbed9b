using System.Buffers;

namespace Serving.Glyphs.Tokens;

/// <summary>A growing list of ids in rented memory, whose end can be written in place. One thread.</summary>
internal ref struct TokenBuffer : IDisposable
{
    private int[] _ids;
    private int _count;

    public TokenBuffer(int capacity) => _ids = ArrayPool<int>.Shared.Rent(Math.Max(capacity, 16));

    /// <summary>Room for ids after the last; <see cref="Advance"/> says how many were written.</summary>
    public Span<int> Reserve(int count)
    {
        if (_ids.Length - _count < count) Grow(count);
        return _ids.AsSpan(_count, count);
    }

    public void Advance(int count) => _count += count;

    public void Add(int id)
    {
        Reserve(1)[0] = id;
        _count++;
    }

    public void Add(ReadOnlySpan<int> ids)
    {
        ids.CopyTo(Reserve(ids.Length));
        _count += ids.Length;
    }

    public readonly int[] ToArray() => _ids.AsSpan(0, _count).ToArray();

    public readonly void Dispose() => ArrayPool<int>.Shared.Return(_ids);

    private void Grow(int count)
    {
        int[] larger = ArrayPool<int>.Shared.Rent(Math.Max(2 * _ids.Length, checked(_count + count)));
        _ids.AsSpan(0, _count).CopyTo(larger);
        ArrayPool<int>.Shared.Return(_ids);
        _ids = larger;
    }
}
