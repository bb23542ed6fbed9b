using System.Text.Json.Serialization;

namespace Serving.Server.Completions;

/// <summary>The stop texts of a request: one string or several.</summary>
[JsonConverter(typeof(StopTextsConverter))]
internal sealed record StopTexts(IReadOnlyList<string> Texts);
