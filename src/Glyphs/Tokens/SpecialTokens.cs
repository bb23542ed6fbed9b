namespace Serving.Glyphs.Tokens;

/// <summary>What the spelling of a special token, such as <c>&lt;/s&gt;</c>, means when it stands in a text.</summary>
public enum SpecialTokens
{
    /// <summary>Ordinary characters: a text from outside cannot smuggle in a control token.</summary>
    Text,

    /// <summary>The special token itself, as in the Hugging Face library.</summary>
    Parse,
}
