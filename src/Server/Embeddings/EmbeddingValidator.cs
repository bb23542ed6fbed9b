using Serving.Glyphs.Tokens;
using Serving.Server.Completions;
using Serving.Server.Errors;
using Serving.Server.Models;

namespace Serving.Server.Embeddings;

/// <summary>Turns a body into a plan, or tells every problem at once. Made for one request.</summary>
internal sealed class EmbeddingValidator(ServedModel model)
{
    private const int MaxInputs = 2048;

    private readonly ProblemList _problems = new();

    /// <exception cref="ApiException">With every problem's message.</exception>
    public EmbeddingPlan Validate(EmbeddingRequest request, Caller caller)
    {
        var generation = new GenerationValidator(model, _problems);
        ForeignFields.OfEmbeddings.Check(request.Unknown, _problems);
        if (caller.IsStrict)
            generation.CheckUnknown(request.Unknown?.Keys ?? Enumerable.Empty<string>());
        EmbeddingLayer layer = Layer(request.Layer);
        bool asBase64 = _problems.Choice("encoding_format", request.EncodingFormat, "float", "base64") == "base64";
        SpecialTokens special = generation.SpecialTokens(request.SpecialTokens);
        List<int[]> inputs = Inputs(request.Input, special, generation, layer);
        CheckDimensions(request.Dimensions, layer);
        _problems.ThrowIfAny();
        return new EmbeddingPlan(model, inputs, layer, asBase64);
    }

    private EmbeddingLayer Layer(string? given)
    {
        EmbeddingLayer layer = _problems.Choice("layer", given, "last", "input") == "input" ? EmbeddingLayer.Input : EmbeddingLayer.Last;
        _problems.Unsupported(layer == EmbeddingLayer.Last && !model.HasHiddenStates, "layer",
            "An ensemble has no hidden states of its own, because only logits are averaged: name one model, or send \"layer\": \"input\".");
        _problems.Unsupported(layer == EmbeddingLayer.Input && model.Table is null, "layer",
            "The members of this ensemble stand on different embedding tables: name one model.");
        return layer;
    }

    private List<int[]> Inputs(CompletionPrompt? input, SpecialTokens special, GenerationValidator generation, EmbeddingLayer layer)
    {
        if (input is not { Items: { Count: > 0 and <= MaxInputs } items })
        {
            _problems.Add("input", $"'input' must hold 1 to {MaxInputs} texts or lists of token ids; {input?.Items.Count ?? 0} were given.");
            return [];
        }
        var inputs = new List<int[]>(items.Count);
        for (int i = 0; i < items.Count; i++)
        {
            string path = input.PathOf(i, "input");
            int[] ids = items[i].TokenIds ?? model.Tokenizer.Encode(items[i].Text!, special);
            if (ids.Length == 0)
                _problems.Add(path, $"'{path}' is empty: give at least one character or token id.");
            if (layer == EmbeddingLayer.Last)
                generation.CheckLength(path, ids.Length, maxTokens: 0);
            if (items[i].TokenIds is not null)
                generation.CheckIds(path, ids);
            inputs.Add(ids);
        }
        return inputs;
    }

    private void CheckDimensions(int? dimensions, EmbeddingLayer layer)
    {
        int width = layer == EmbeddingLayer.Input ? model.Table?.Dimensions ?? 0 : model.HiddenWidth;
        _problems.Unsupported(dimensions is not null && dimensions != width, "dimensions",
            $"'dimensions' may only be the vectors' own width, {width}: they are not cut. {dimensions} was given; leave it out.");
    }
}
