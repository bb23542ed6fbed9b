namespace Serving.Server.Completions;

/// <summary>Ranges and defaults of a completion's fields, in one place.</summary>
internal static class CompletionLimits
{
    public const int DefaultMaxTokens = 16;
    public const float DefaultTemperature = 1;
    public const float MaxTemperature = 2;
    public const int MaxLogprobs = 20;
    public const int MaxStopTexts = 16;
    public const int MaxStopTextChars = 1024;
    public const int MaxStopTokenIds = 256;
    public const float MaxPenalty = 2;
    public const int MaxBiasedTokens = 300;
    public const float MaxBias = 100;
    public const int MaxShownUnknownFields = 8;
}
