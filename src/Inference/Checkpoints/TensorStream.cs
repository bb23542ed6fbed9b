using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>Takes one tensor's bytes on their way into a file: counts them, hashes them and tells how many there were.</summary>
/// <param name="file">Where they go.</param>
/// <param name="fingerprint">Of the tensor.</param>
/// <param name="written">Told how many bytes of this tensor are written.</param>
internal sealed class TensorStream(Stream file, TensorFingerprint fingerprint, Action<long>? written) : Stream
{
    private long _bytes;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _bytes;

    public override long Position { get => _bytes; set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        file.Write(buffer);
        fingerprint.Append(buffer);
        _bytes += buffer.Length;
        written?.Invoke(_bytes);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
