using Serving.Glyphs.Tokens;

namespace Serving.Glyphs.Tests.Tokens;

public sealed class StreamingDecoderTests
{
    [Fact]
    public void Push_WholeCharacterTokens_GivesEachTextAtOnce()
    {
        string[] vocabulary = ["<unk>", "a", "😀", "你好"];
        StreamingDecoder decoder = TokenizerJson.Load(TokenizerJson.Make(vocabulary)).CreateDecoder();
        Assert.Equal(["a", "😀", "", "你好", "", ""], new[] { 1, 2, 0, 3, 999, -1 }.Select(decoder.Push));
        Assert.Equal("", decoder.Flush());
    }
}
