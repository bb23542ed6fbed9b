using System.Text.Json;
using Serving.Server.Chat.Jinja;
using Serving.Testing;

namespace Serving.Server.Tests.Chat;

public sealed class JinjaTemplateTests
{
    /// <summary>Templates and what Jinja2 makes of them: <c>tests/data/chat/jinja.py</c>.</summary>
    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Golden.Length)];

    private static JsonElement[] Golden { get; } =
        [.. JsonDocument.Parse(File.ReadAllBytes(TestData.Path("chat", "jinja.json"))).RootElement.EnumerateArray()];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Render_Template_IsWhatJinja2Writes(int index)
    {
        JsonElement golden = Golden[index];
        var variables = (Dictionary<string, object?>)ValueOf(golden.GetProperty("variables"))!;
        JinjaTemplate template = JinjaTemplate.Parse(golden.GetProperty("template").GetString()!);
        if (golden.TryGetProperty("error", out JsonElement error))
            Assert.Equal(error.GetString(), Assert.Throws<JinjaException>(() => template.Render(variables)).Message);
        else
            Assert.Equal(golden.GetProperty("text").GetString(), template.Render(variables));
    }

    [Theory]
    [InlineData("{% macro x() %}{% endmacro %}")]
    [InlineData("{{ x | unknown }}")]
    [InlineData("{{ lipsum() }}")]
    [InlineData("{{ ''.__class__() }}")]
    [InlineData("{% if true %}")]
    [InlineData("{% endif %}")]
    [InlineData("{{ 1 + }}")]
    [InlineData("{{ 'open }}")]
    [InlineData("{{ x")]
    [InlineData("{# x")]
    [InlineData("{{ a ? b }}")]
    [InlineData("{% include 'x' %}")]
    public void Parse_MalformedOrNotSupported_TellsTheLine(string source) =>
        Assert.Contains("line 1", Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(source)).Message);

    [Fact]
    public void Parse_DeepNesting_IsRefused() =>
        Assert.Throws<JinjaException>(() => JinjaTemplate.Parse("{{ " + new string('(', 5000) + "1" + new string(')', 5000) + " }}"));

    [Fact]
    public void Render_EndlessWork_IsEnded() => Assert.Contains("steps", Assert.Throws<JinjaException>(
        () => Render("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")).Message);

    [Fact]
    public void Render_RaiseException_TellsItsMessage() => Assert.Equal("no system", Assert.Throws<JinjaException>(
        () => Render("{{ raise_exception('no system') }}")).Message);

    private static string Render(string source) => JinjaTemplate.Parse(source).Render(new Dictionary<string, object?>());

    private static object? ValueOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().ToDictionary(property => property.Name, property => ValueOf(property.Value)),
        JsonValueKind.Array => element.EnumerateArray().Select(ValueOf).ToList(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.GetInt64(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}
