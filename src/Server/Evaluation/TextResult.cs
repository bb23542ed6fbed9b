namespace Serving.Server.Evaluation;

/// <summary>How well a model predicts a text.</summary>
/// <param name="Model">Who.</param>
/// <param name="Text">What.</param>
/// <param name="Characters">Unicode code points of the text.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="UnknownTokens">Those that hide which character they are; each is charged 14.3 bits.</param>
/// <param name="Perplexity">e to the mean cost of a token.</param>
/// <param name="BitsPerCharacter">Over all characters; the interval takes windows for independent.</param>
internal sealed record TextResult(
    string Model, string Text, int Characters, int Tokens, int UnknownTokens, double Perplexity, Estimate BitsPerCharacter);
