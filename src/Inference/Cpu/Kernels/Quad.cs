using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Four times sixteen values: what a panel of weights gives for a row, or four chains of a sum.</summary>
internal unsafe struct Quad<T>
    where T : unmanaged, ILanes<T>
{
    private T _a, _b, _c, _d;

    public static Quad<T> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new() { _a = T.Zero, _b = T.Zero, _c = T.Zero, _d = T.Zero };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> Load(float* source) => new()
    {
        _a = T.Load(source),
        _b = T.Load(source + Lanes.Count),
        _c = T.Load(source + (2 * Lanes.Count)),
        _d = T.Load(source + (3 * Lanes.Count)),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> Load<TPanel>(byte* row)
        where TPanel : IPanel => new()
        {
            _a = TPanel.Load<T>(row, 0),
            _b = TPanel.Load<T>(row, 1),
            _c = TPanel.Load<T>(row, 2),
            _d = TPanel.Load<T>(row, 3),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(in Quad<T> value, float* target)
    {
        T.Store(value._a, target);
        T.Store(value._b, target + Lanes.Count);
        T.Store(value._c, target + (2 * Lanes.Count));
        T.Store(value._d, target + (3 * Lanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> MultiplyAdd(T x, in Quad<T> y, in Quad<T> z) => new()
    {
        _a = T.MultiplyAdd(x, y._a, z._a),
        _b = T.MultiplyAdd(x, y._b, z._b),
        _c = T.MultiplyAdd(x, y._c, z._c),
        _d = T.MultiplyAdd(x, y._d, z._d),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> MultiplyAdd(in Quad<T> x, in Quad<T> y, in Quad<T> z) => new()
    {
        _a = T.MultiplyAdd(x._a, y._a, z._a),
        _b = T.MultiplyAdd(x._b, y._b, z._b),
        _c = T.MultiplyAdd(x._c, y._c, z._c),
        _d = T.MultiplyAdd(x._d, y._d, z._d),
    };

    /// <summary>Adds <paramref name="a"/> to <paramref name="d"/>, each times its weight, to one chain each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> AddScaled(float* weights, T a, T b, T c, T d, in Quad<T> chains) => new()
    {
        _a = T.MultiplyAdd(T.Broadcast(weights[0]), a, chains._a),
        _b = T.MultiplyAdd(T.Broadcast(weights[1]), b, chains._b),
        _c = T.MultiplyAdd(T.Broadcast(weights[2]), c, chains._c),
        _d = T.MultiplyAdd(T.Broadcast(weights[3]), d, chains._d),
    };

    /// <summary>Adds the first one to three, each times its weight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Quad<T> AddScaled(float* weights, int count, T a, T b, T c, in Quad<T> chains) => new()
    {
        _a = T.MultiplyAdd(T.Broadcast(weights[0]), a, chains._a),
        _b = count > 1 ? T.MultiplyAdd(T.Broadcast(weights[1]), b, chains._b) : chains._b,
        _c = count > 2 ? T.MultiplyAdd(T.Broadcast(weights[2]), c, chains._c) : chains._c,
        _d = chains._d,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum(in Quad<T> value) => (value._a + value._b) + (value._c + value._d);
}
