using System.Text.RegularExpressions;
using Serving.Server.Errors;

namespace Serving.Server.Tests.Errors;

public class ErrorTableTests
{
    [Fact]
    public void From_TextThatATokenizerCannotSplitInTime_BlamesThePrompt()
    {
        ApiFailure failure = ErrorTable.From(new RegexMatchTimeoutException("aaa", "(a+)+b", TimeSpan.FromSeconds(5)));

        Assert.Equal((400, "prompt", true), (failure.Status, failure.Error.Param, failure.IsPermanent));
        Assert.Contains("within 5 s", failure.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void From_UnknownFault_TellsNothingOfIt()
    {
        ApiFailure failure = ErrorTable.From(new InvalidOperationException("secret"));

        Assert.Equal(500, failure.Status);
        Assert.DoesNotContain("secret", failure.Error.Message, StringComparison.Ordinal);
    }
}
