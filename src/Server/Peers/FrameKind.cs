namespace Serving.Server.Peers;

/// <summary>What a frame between a front and a peer carries; docs/peer-protocol.md describes each.</summary>
internal enum FrameKind : byte
{
    /// <summary>Front: begins a stream.</summary>
    Open = 1,

    /// <summary>Peer: what it serves.</summary>
    Opened = 2,

    /// <summary>Front: a batch to compute.</summary>
    Step = 3,

    /// <summary>Peer: the rows that the step asked for.</summary>
    Logits = 4,

    /// <summary>Peer: the step cannot be computed, for a fault of its own contents.</summary>
    Fault = 5,
}
