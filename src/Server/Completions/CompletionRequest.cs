using System.ComponentModel;

namespace Serving.Server.Completions;

/// <summary>The body of <c>POST /v1/completions</c>.</summary>
internal sealed record CompletionRequest : GenerationFields
{
    [Description("A text, several texts, one list of token ids, or several lists. Several prompts are answered prompt after prompt. "
        + "Null, or left out, begins a new text.")]
    public CompletionPrompt? Prompt { get; set; }

    [Description("The most tokens to generate. Default 16, or what the context leaves. 0 answers the prompt alone (with echo).")]
    public int? MaxTokens { get; set; }

    [Description("Generate this many answers to each prompt and return the n whose tokens have the highest mean log-probability. "
        + "At least n; not with stream. Default n.")]
    public int? BestOf { get; set; }

    [Description("0 to 20: report the log-probability of each token and of this many alternatives.")]
    public int? Logprobs { get; set; }

    [Description("Begin the answer with the prompt; with logprobs, the prompt's tokens are scored too. Default false.")]
    public bool? Echo { get; set; }

    [Description("Not supported.")]
    public string? Suffix { get; set; }

    [Description("Of an ensemble: report what each expert thought of every generated token. Default false.")]
    public bool? ExpertLogprobs { get; set; }

    [Description("Report the ids of the prompt's and of the generated tokens; texts alone do not always tell them. Default false.")]
    public bool? ReturnTokenIds { get; set; }
}
