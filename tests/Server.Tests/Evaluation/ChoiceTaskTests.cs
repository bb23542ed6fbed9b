using Serving.Server.Evaluation;

namespace Serving.Server.Tests.Evaluation;

public sealed class ChoiceTaskTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    // The papers' formats, letter for letter.
    [Theory]
    [InlineData(0, "Question: 2 + 2?\nOptions: A) 3 B) 4 C) 5\nAnswer:")]
    [InlineData(1, "Question: 2 + 2?\nOptions:\nA) 3\nB) 4\nC) 5\nAnswer:")]
    public void Prompt_Style_IsThatOfThePapers(int style, string expected) =>
        Assert.Equal(expected, new ChoiceTask("2 + 2?", ["3", "4", "5"], 1).Prompt((ChoiceStyle)style));

    [Theory]
    [InlineData("1", 1)]
    [InlineData("\"B\"", 1)]
    [InlineData("\"c\"", 2)]
    [InlineData("\"three\"", 0)]
    public void Read_AnswerInAnyForm_IsTheIndex(string answer, int expected)
    {
        File.WriteAllText(_file, $$"""{"question":"q","choices":["three","four","five"],"answer":{{answer}},"subject":"ignored"}""" + "\n\n");
        Assert.Equal(expected, Assert.Single(ChoiceTask.Read(_file)).Answer);
    }

    [Theory]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":2}""")]
    [InlineData("""{"question":"q","choices":["a","b"],"answer":"z"}""")]
    [InlineData("""{"question":"q","choices":["a"],"answer":0}""")]
    [InlineData("""{"question":"q","choices":["a","b"]}""")]
    [InlineData("""{"question":1,"choices":["a","b"],"answer":0}""")]
    [InlineData("not json")]
    public void Read_LineThatIsNoTask_NamesTheLine(string line)
    {
        File.WriteAllText(_file, """{"question":"q","choices":["a","b"],"answer":0}""" + "\n" + line);
        Assert.Contains("line 2", Assert.Throws<InvalidDataException>(() => ChoiceTask.Read(_file)).Message);
    }
}
