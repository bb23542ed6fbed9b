namespace Serving.Server.Chat.Jinja;

/// <summary>A template that cannot be read, or that refuses what it was given (<c>raise_exception</c>).</summary>
internal sealed class JinjaException(string message) : Exception(message);
