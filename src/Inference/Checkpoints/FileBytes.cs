using Microsoft.Win32.SafeHandles;

namespace Serving.Inference.Checkpoints;

/// <summary>Files of a checkpoint, read so that every fault names the file.</summary>
internal static class FileBytes
{
    /// <summary>Opens a file for positional reads.</summary>
    public static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, "file", "a readable file", e.Message.TrimEnd('.'), inner: e);
        }
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    public static void Read(SafeFileHandle file, long offset, Span<byte> destination, string path, string subject)
    {
        int done = 0;
        while (done < destination.Length)
        {
            int read = ReadOnce(file, offset + done, destination[done..], path, subject);
            if (read == 0)
            {
                throw new CheckpointException(path, subject, $"{destination.Length} bytes at offset {offset}",
                    $"the end of the file after {done}", "The file became shorter while it was read; copy it again and reload.");
            }

            done += read;
        }
    }

    /// <summary>Reads a whole small file.</summary>
    public static byte[] ReadAll(string path, int limit)
    {
        using SafeFileHandle file = Open(path);
        long length = RandomAccess.GetLength(file);
        if (length > limit)
            throw new CheckpointException(path, "file", $"at most {limit} bytes", $"{length}");
        var bytes = new byte[length];
        Read(file, 0, bytes, path, "file");
        return bytes;
    }

    private static int ReadOnce(SafeFileHandle file, long offset, Span<byte> destination, string path, string subject)
    {
        try
        {
            return RandomAccess.Read(file, destination, offset);
        }
        catch (IOException e)
        {
            throw new CheckpointException(path, subject, "readable data", e.Message.TrimEnd('.'), inner: e);
        }
    }
}
