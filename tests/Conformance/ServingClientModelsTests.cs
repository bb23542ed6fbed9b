using System.Net;
using Serving.Client;

namespace Serving.Conformance;

/// <summary>The C# client beyond OpenAI's routes: comparisons, ensembles, and what a model reads. The server's models may be many or one; an
/// ensemble is made of the one that is asked, under two of its weights.</summary>
[Collection(nameof(Target))]
public sealed class ServingClientModelsTests(Target target) : IDisposable
{
    private readonly ServingClient _serving = new(target.Root, Target.Key);

    public void Dispose() => _serving.Dispose();

    [Fact]
    public async Task Compare_OneModelTwice_WritesWhatTheCompletionDoesAndNeverParts()
    {
        Completion alone = await _serving.CompleteAsync(new CompletionRequest
        {
            Model = Target.Model,
            Prompt = "The old house",
            MaxTokens = 12,
            Temperature = 0,
            Logprobs = 0,
        });
        GeneratedComparison both = await _serving.CompareAsync(new CompareRequest
        {
            Models = [Target.Model, Target.Model],
            Prompt = "The old house",
            MaxTokens = 12,
            Temperature = 0,
        });
        Assert.Null(both.FirstDivergence);
        Assert.Equal([Target.Model, Target.Model], both.Models.Select(entry => entry.Model));
        Assert.All(both.Models, entry =>
        {
            Assert.Equal(alone.Choices[0].Text, entry.Text);
            Assert.Equal(alone.Choices[0].Logprobs!.Tokens, entry.Tokens);
            Assert.Equal(alone.Choices[0].Logprobs!.TokenLogprobs, entry.TokenLogprobs.Select(logprob => (float?)logprob));
            Assert.Equal(alone.Choices[0].FinishReason, entry.FinishReason);
        });
    }

    [Fact]
    public async Task Score_AModelAndASumWithItself_AreOneDistribution()
    {
        string sum = $"{Target.Model}+{Target.Model}";
        ScoredComparison scored = await _serving.ScoreAsync([Target.Model, sum], "It was a dark night", leaveOneOut: true);
        ScoredText one = scored.Models[0], other = scored.Models[1];
        Assert.Null(one.LeaveOneOut);
        Assert.Null(one.Ensemble);
        Assert.Equal([Target.Model, Target.Model], other.Ensemble!.Experts.Select(expert => expert.Model));
        Assert.Equal([Target.Model, Target.Model], other.LeaveOneOut!.Select(without => without.Without));
        Assert.All(other.LeaveOneOut!, without => Assert.Equal(one.LogProbability, without.LogProbability, 1e-6));
        Assert.Null(one.TokenLogprobs[0]);
        Assert.Equal(one.Tokens.Count, one.TokenLogprobs.Count);
        Assert.Equal(one.TokenLogprobs.Skip(1).Sum()!.Value, one.LogProbability, 1e-3);
        Assert.Equal(Math.Exp(-one.LogProbability / (one.Tokens.Count - 1)), one.Perplexity!.Value, 1e-6);
        Assert.True(one.BitsPerCharacter > 0);
        ModelPair pair = Assert.Single(scored.Pairs);
        Assert.Equal((Target.Model, sum, 1.0), (pair.A, pair.B, pair.SameArgmax));
        Assert.Equal(0, pair.Kl, 1e-5);
        Assert.Equal(0, pair.Js, 1e-5);
    }

    [Fact]
    public async Task Ensemble_DefinedAskedReweighedAndRemoved_AnswersByItsNameMeanwhile()
    {
        string name = $"client-{Guid.NewGuid():n}";
        EnsembleInfo made = await _serving.PutEnsembleAsync(name, new EnsembleDefinition([new(Target.Model, 3), new(Target.Model)]));
        Assert.Equal((name, "logits", 1, "ready"), (made.Name, made.Combine, made.Version, made.State));
        try
        {
            Completion answer = await _serving.CompleteAsync(new CompletionRequest { Model = name, Prompt = "The old house", MaxTokens = 4, ExpertLogprobs = true });
            Assert.Equal([3.0, 1.0], answer.Ensemble!.Experts.Select(expert => expert.Weight));
            ExpertLogprobs experts = answer.Choices[0].ExpertLogprobs!;
            Assert.Equal([Target.Model, Target.Model], experts.Experts);
            Assert.Equal(answer.Usage!.CompletionTokens, experts.TokenLogprobs.Count);
            Assert.All(experts.TokenLogprobs, token => Assert.Equal(token[0], token[1]));
            Assert.All(experts.Disagreement, nats => Assert.Equal(0, nats, 1e-5));

            EnsembleInfo reweighed = await _serving.PutEnsembleAsync(name, new EnsembleDefinition([new(Target.Model)], "probs"));
            Assert.Equal((2, "probs"), (reweighed.Version, reweighed.Combine));
            Assert.Equal(2, Assert.Single(await _serving.EnsemblesAsync(), ensemble => ensemble.Name == name).Version);
            Assert.Equal("ensemble", (await _serving.ModelAsync(name)).Kind);
            ChatCompletion chat = await _serving.ChatAsync(new ChatRequest { Model = name, Messages = [new("user", "Hi")], MaxTokens = 2 });
            Assert.Equal(("probs", 2), (chat.Ensemble!.Combine, chat.Ensemble.Version));
        }
        finally
        {
            await _serving.DeleteEnsembleAsync(name);
        }
        ServingException gone = await Assert.ThrowsAsync<ServingException>(() => _serving.ModelAsync(name));
        Assert.Equal((HttpStatusCode.NotFound, "model_not_found"), (gone.Status, gone.Code));
    }

    [Fact]
    public async Task Ensemble_OfTheRequest_AnswersWithItsWeights()
    {
        Completion answer = await _serving.CompleteAsync(new CompletionRequest
        {
            Ensemble = new EnsembleDefinition([new(Target.Model, 2), new(Target.Model, 0.5)], "probs"),
            Prompt = "The old house",
            MaxTokens = 2,
        });
        Assert.Equal([2, 0.5], answer.Ensemble!.Experts.Select(expert => expert.Weight));
        Assert.Equal(("probs", null), (answer.Ensemble.Combine, answer.Ensemble.Version));
        ServingException unknown = await Assert.ThrowsAsync<ServingException>(() => _serving.PutEnsembleAsync("x", new EnsembleDefinition([new("nobody")])));
        Assert.Equal(HttpStatusCode.NotFound, unknown.Status);
    }

    [Fact]
    public async Task Table_AndItsTokens_TellOneStory()
    {
        TableDescription table = await _serving.TableAsync(Target.Model);
        Assert.Equal((await _serving.ModelAsync(Target.Model)).EmbeddingFingerprint, table.Fingerprint);
        IReadOnlyList<TokenDescription> found = await _serving.LookUpAsync(Target.Model, "house Ж&?#");
        Tokenization tokens = await _serving.TokenizeAsync(Target.Model, "house Ж&?#");
        Assert.Equal(tokens.Tokens, found.Select(token => token.Id));
        Assert.Equal(tokens.TokenStrs, found.Select(token => token.Text));

        TokenDescription first = await _serving.TokenAsync(Target.Model, found[0].Id, withVector: true, neighbors: 3);
        Assert.Equal(table.Dimensions, first.Vector!.Count);
        Assert.Equal(Math.Sqrt(first.Vector.Sum(value => (double)value * value)), first.Norm, 1e-4);
        Assert.Equal(3, first.Neighbors!.Count);
        Assert.True(first.Neighbors.Zip(first.Neighbors.Skip(1)).All(pair => pair.First.Cosine >= pair.Second.Cosine));
        Assert.Equal(first.CodePoints.Count, first.Names.Count);
        Assert.Null(found[0].Vector);
        Assert.Equal(found[0].Glyph!.Rows, first.Glyph!.Rows);
        Assert.All(first.Glyph.Rows, row => Assert.Equal(first.Glyph.Width, row.Length));
        Assert.Equal(404, (int)(await Assert.ThrowsAsync<ServingException>(() => _serving.TokenAsync(Target.Model, table.Rows))).Status);
    }

    [Fact]
    public async Task Glyph_Scaled_IsAPngOfThatSize()
    {
        int token = (await _serving.TokenizeAsync(Target.Model, "house")).Tokens[0];
        Glyph glyph = (await _serving.TokenAsync(Target.Model, token)).Glyph!;
        byte[] png = await _serving.GlyphAsync(Target.Model, token, scale: 3);
        Assert.Equal([0x89, .. "PNG\r\n\u001a\n"u8], png[..8]);
        Assert.Equal((3 * glyph.Width, 3 * glyph.Height), (Size(png.AsSpan(16, 4)), Size(png.AsSpan(20, 4))));

        static int Size(ReadOnlySpan<byte> bytes) => System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(bytes);
    }

    [Fact]
    public async Task Rebuilt_FromAllNumbers_IsNearerToThePictureThanFromNone()
    {
        Assert.SkipUnless((await _serving.TableAsync(Target.Model)).Source == "glyph", "The table was not made of pictures.");
        int token = (await _serving.TokenizeAsync(Target.Model, "h")).Tokens[0];
        RebuiltGlyph all = await _serving.RebuildAsync(Target.Model, token), none = await _serving.RebuildAsync(Target.Model, token, components: 0);
        Assert.Equal((all.Dimensions, 0), (all.Components, none.Components));
        Assert.Equal(all.Width * all.Height, all.Pixels.Count);
        Assert.Equal(all.Dimensions + 1, all.Errors.Count);
        Assert.True(all.Errors[^1] < none.Errors[0]);
    }

    [Fact]
    public async Task Similarity_AndMap_AreOfTheTokensAsked()
    {
        Similarity similar = await _serving.SimilarityAsync(Target.Model, ["house", "house", "river"]);
        Assert.Equal(1, similar.Matrix[0][1], 1e-6);
        Assert.Equal(similar.Matrix[0][2], similar.Matrix[2][0], 1e-6);
        Assert.InRange(similar.Matrix[0][2], -1, 0.9999);
        TokenMap map = await _serving.MapAsync(Target.Model, "an old house by the river");
        IReadOnlyList<int> tokens = (await _serving.TokenizeAsync(Target.Model, "an old house by the river")).Tokens;
        Assert.Equal(tokens.Distinct(), map.Points.Select(point => point.Id));
    }
}
