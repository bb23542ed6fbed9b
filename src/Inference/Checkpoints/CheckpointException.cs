namespace Serving.Inference.Checkpoints;

/// <summary>A model file that cannot be used: which file, what in it, what was expected and what was found.</summary>
public sealed class CheckpointException : Exception
{
    /// <param name="path">The file or folder.</param>
    /// <param name="subject">The part at fault: <c>tensor 'lm_head.weight'</c>, <c>key 'n_head'</c>, <c>header</c>.</param>
    /// <param name="expected">What would have been right.</param>
    /// <param name="found">What is there.</param>
    /// <param name="remedy">What to do, where that is not plain from the rest.</param>
    /// <param name="inner">The fault underneath.</param>
    public CheckpointException(
        string path, string subject, string expected, string found, string? remedy = null, Exception? inner = null)
        : base($"{path}: {subject}: expected {expected}, found {found}.{(remedy is null ? "" : " " + remedy)}", inner)
    {
        (Path, Subject, Expected, Found, Remedy) = (path, subject, expected, found, remedy);
    }

    /// <summary>The file or folder.</summary>
    public string Path { get; }

    /// <summary>The part at fault.</summary>
    public string Subject { get; }

    /// <summary>What would have been right.</summary>
    public string Expected { get; }

    /// <summary>What is there.</summary>
    public string Found { get; }

    /// <summary>What to do; null where that is plain.</summary>
    public string? Remedy { get; }
}
