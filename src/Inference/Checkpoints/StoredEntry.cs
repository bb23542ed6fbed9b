namespace Serving.Inference.Checkpoints;

/// <summary>An uncompressed entry of a zip archive: where its bytes lie in the file.</summary>
internal readonly record struct StoredEntry(long Offset, long Bytes);
