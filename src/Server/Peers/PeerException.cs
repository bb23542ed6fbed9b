namespace Serving.Server.Peers;

/// <summary>A replica did not answer a step as it should; another one, or another try, may.</summary>
internal sealed class PeerException(string message, Exception? inner = null) : Exception(message, inner);
