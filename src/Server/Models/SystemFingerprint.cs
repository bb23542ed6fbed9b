using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Serving.Inference.Checkpoints;
using Serving.Inference.Ensembles;

namespace Serving.Server.Models;

/// <summary>
/// A short name for everything that an answer depends on. For comparing answers, not for integrity: of the weight files it
/// reads samples, so that its cost does not grow with them, and training moves every weight.
/// </summary>
internal static class SystemFingerprint
{
    private const int Samples = 64;
    private const int SampleBytes = 4096;
    private const int ShownBytes = 6;

    /// <param name="model">The model, its files still open.</param>
    /// <param name="tokenizerFingerprint">Of the tokenizer that it is used with.</param>
    /// <param name="instructions">The kernels: another set rounds differently.</param>
    public static string Of(LoadedModel model, string tokenizerFingerprint, string instructions)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, tokenizerFingerprint);
        foreach (TransformerWeights expert in model.Experts)
        {
            // One of the checkpoint's own is in its weight files.
            if (expert.TableSource != TableSource.Checkpoint)
                Append(hash, expert.Table.Fingerprint);
            Append(hash, $"{expert.Name} {expert.RopePairing} {expert.Norm} {expert.Heads} {expert.ContextTokens}");
            Append(hash, string.Create(CultureInfo.InvariantCulture, $"{expert.NormEpsilon:R} {expert.Activation}"));
            if (expert.InputLift != InputLift.Interleaved)
                Append(hash, $"{expert.InputLift}");
        }
        Append(hash, $"{typeof(LoadedModel).Assembly.GetName().Version} {instructions}");
        foreach (string path in model.WeightFiles)
            AppendSamples(hash, path);
        return Name(hash);
    }

    /// <param name="rule">What is averaged.</param>
    /// <param name="members">Each member's own fingerprint and its weight, in their order.</param>
    public static string OfEnsemble(EnsembleRule rule, IEnumerable<(string Fingerprint, double Weight)> members)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, $"{rule}");
        (string Fingerprint, double Weight)[] all = [.. members];
        double sum = all.Sum(member => member.Weight);
        foreach ((string fingerprint, double weight) in all)
            Append(hash, string.Create(CultureInfo.InvariantCulture, $"{fingerprint} {weight / sum:R}"));
        return Name(hash);
    }

    private static string Name(IncrementalHash hash) => $"fp_{Convert.ToHexStringLower(hash.GetHashAndReset(), 0, ShownBytes)}";

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));

    private static void AppendSamples(IncrementalHash hash, string path)
    {
        using FileStream file = File.OpenRead(path);
        Append(hash, $"{Path.GetFileName(path)} {file.Length}");
        byte[] sample = new byte[SampleBytes];
        for (int i = 0; i < Samples; i++)
        {
            file.Position = (long)((double)file.Length / Samples * i);
            hash.AppendData(sample.AsSpan(0, file.ReadAtLeast(sample, SampleBytes, throwOnEndOfStream: false)));
        }
    }
}
