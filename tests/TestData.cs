using System.Reflection;

namespace Serving.Testing;

/// <summary>Where the tests find the files that travel with the repository.</summary>
internal static class TestData
{
    /// <summary>The repository's root folder, known from the build.</summary>
    public static string RepositoryRoot { get; } = typeof(TestData).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(attribute => attribute.Key == "RepositoryRoot").Value!;

    /// <summary>The path of a file or folder below <c>tests/data</c>.</summary>
    public static string Path(params string[] parts) => System.IO.Path.Combine([RepositoryRoot, "tests", "data", .. parts]);
}
