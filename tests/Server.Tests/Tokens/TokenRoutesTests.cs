using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Tokens;

public sealed class TokenRoutesTests(SmallServer small) : IClassFixture<SmallServer>
{
    [Theory]
    [InlineData("Hi", "[44,77]", "[\"H\",\"i\"]")]
    [InlineData("", "[]", "[]")]
    [InlineData("a<s>", "[69,32,87,34]", "[\"a\",\"<\",\"s\",\">\"]")]
    [InlineData("<s>", "[1]", "[\"<s>\"]")]
    public async Task Tokenize_Text_GivesIdsAndTexts(string prompt, string ids, string texts)
    {
        JsonElement answer = await PostAsync("/tokenize", new { model = "plain", prompt });
        Assert.Equal(ids, answer.GetProperty("tokens").GetRawText());
        Assert.Equal(texts, answer.GetProperty("token_strs").GetRawText());
        Assert.Equal(answer.GetProperty("tokens").GetArrayLength(), answer.GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task Tokenize_SpecialTokensParsed_AreOneToken()
    {
        JsonElement answer = await PostAsync(
            "/tokenize", new { model = "plain", prompt = "<s>a", special_tokens = "parse", add_special_tokens = false });
        Assert.Equal("[1,69]", answer.GetProperty("tokens").GetRawText());
    }

    [Fact]
    public async Task Detokenize_WhatTokenizeGave_IsTheText()
    {
        const string Text = "Grüße, <s> and \"quotes\"";
        JsonElement tokens = (await PostAsync("/tokenize", new { prompt = Text })).GetProperty("tokens");
        Assert.Equal(Text, (await PostAsync("/detokenize", new { tokens })).GetProperty("prompt").GetString());
        Assert.Equal("<s>H</s>", (await PostAsync("/detokenize", new { model = "plain", tokens = (int[])[1, 44, 2] })).GetProperty("prompt").GetString());
    }

    [Theory]
    [InlineData("/tokenizer_info")]
    [InlineData("/tokenizer_info?model=plain")]
    [InlineData("/tokenizer_info?model=plain%2Bbf16")]
    public async Task TokenizerInfo_AnyModel_NamesItsControlTokens(string path)
    {
        JsonElement info = await small.Server.Client.GetFromJsonAsync<JsonElement>(path);
        Assert.Equal(("</s>", "<s>", "<pad>"), (info.GetProperty("eos_token").GetString(), info.GetProperty("bos_token").GetString(),
            info.GetProperty("pad_token").GetString()));
        Assert.Equal(256, info.GetProperty("vocab_size").GetInt32());
    }

    [Theory]
    [InlineData("/tokenize", "{}", 400, "prompt")]
    [InlineData("/tokenize", "{\"prompt\":5}", 400, "prompt")]
    [InlineData("/tokenize", "{\"prompt\":\"x\",\"special_tokens\":\"y\"}", 400, "special_tokens")]
    [InlineData("/tokenize", "{\"prompt\":\"x\",\"model\":\"nope\"}", 404, "model")]
    [InlineData("/detokenize", "{}", 400, "tokens")]
    [InlineData("/detokenize", "{\"tokens\":[1,256]}", 400, "tokens[1]")]
    [InlineData("/detokenize", "{\"tokens\":[-1]}", 400, "tokens[0]")]
    [InlineData("/detokenize", "{\"tokens\":\"x\"}", 400, "tokens")]
    public async Task TokenRoutes_BadBody_AnswerProblemDetailsWithTheField(string path, string body, int status, string param)
    {
        using HttpResponseMessage response = await small.Server.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(param, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("param").GetString());
    }

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        using HttpResponseMessage response = await small.Server.Client.PostAsJsonAsync(path, body);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
