namespace Serving.Server.Errors;

/// <summary>One thing wrong with a request.</summary>
/// <param name="Code">One of <see cref="ErrorCode"/>.</param>
/// <param name="Param">The path of the field, as <c>stop[2]</c>.</param>
/// <param name="Message">A sentence: what, expected, given, what to do.</param>
internal readonly record struct Problem(string Code, string Param, string Message);
