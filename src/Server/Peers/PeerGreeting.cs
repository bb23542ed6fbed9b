using Serving.Inference;

namespace Serving.Server.Peers;

/// <summary>What a peer serves, told when a stream is opened.</summary>
/// <param name="Shape">The model's sizes.</param>
/// <param name="Kv">The K/V memory of this stream.</param>
/// <param name="Fingerprint">The version of the model: its system_fingerprint.</param>
/// <param name="TokenizerFingerprint">Of its tokenizer.</param>
internal sealed record PeerGreeting(ModelShape Shape, KvCapacity Kv, string Fingerprint, string TokenizerFingerprint)
{
    public const int Version = 1;

    public void Write(FrameWriter frame)
    {
        frame.Begin(FrameKind.Opened);
        frame.UInt16(Version);
        frame.UInt32(Shape.VocabularySize);
        frame.UInt32(Shape.ContextTokens);
        frame.UInt32(Kv.Blocks);
        frame.UInt32(Kv.BlockTokens);
        frame.Text(Fingerprint);
        frame.Text(TokenizerFingerprint);
    }

    /// <exception cref="InvalidDataException">It is of another version of the protocol, or malformed.</exception>
    public static PeerGreeting Read(ReadOnlySpan<byte> payload)
    {
        var reader = new PayloadReader(payload);
        int version = reader.UInt16();
        if (version != Version)
            throw new InvalidDataException($"The peer speaks version {version} of the protocol, this server {Version}.");
        return new PeerGreeting(new(reader.Count(), reader.Count()), new(reader.Count(), reader.Count()), reader.Text(), reader.Text());
    }
}
