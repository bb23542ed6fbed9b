namespace Serving.Inference.Tests.Scheduling;

/// <summary>A model that allocates nothing and always says the same.</summary>
internal sealed class DecodeOnlyBackend(int vocabulary, int blocks, int blockTokens) : IBackend
{
    public ModelShape Shape => new(vocabulary, 1024);

    public KvCapacity Kv => new(blocks, blockTokens);

    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        for (int i = 0; i < logits.Length; i++) logits[i] = i % vocabulary % 100 / 10f;
    }

    public void Dispose()
    {
    }
}
