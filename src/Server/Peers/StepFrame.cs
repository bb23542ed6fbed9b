using System.Runtime.InteropServices;
using Serving.Inference;

namespace Serving.Server.Peers;

/// <summary>A step on the wire: its number, then per chunk position, length, rows, the block table and the tokens, all as u32.</summary>
internal static class StepFrame
{
    /// <summary>Begins a frame of a step with so many chunks.</summary>
    public static void Begin(FrameWriter frame, uint step, int chunks)
    {
        frame.Begin(FrameKind.Step);
        frame.UInt32(step);
        frame.UInt32(chunks);
    }

    public static void Chunk(FrameWriter frame, int position, ReadOnlySpan<int> tokens, ReadOnlySpan<int> blocks, int logitRows)
    {
        frame.UInt32(position);
        frame.UInt32(tokens.Length);
        frame.UInt32(logitRows);
        frame.UInt32(blocks.Length);
        MemoryMarshal.AsBytes(blocks).CopyTo(frame.Take(blocks.Length * sizeof(int)));
        MemoryMarshal.AsBytes(tokens).CopyTo(frame.Take(tokens.Length * sizeof(int)));
    }

    /// <summary>Reads a step into a batch.</summary>
    /// <returns>Its number.</returns>
    /// <exception cref="InvalidDataException">It is malformed; what its numbers mean is checked by the backend.</exception>
    public static uint Read(ReadOnlySpan<byte> payload, ForwardBatch batch)
    {
        batch.Clear();
        var reader = new PayloadReader(payload);
        uint step = (uint)reader.Count();
        for (int chunks = reader.Count(); chunks > 0; chunks--)
        {
            (int position, int length, int rows, int blocks) = (reader.Count(), reader.Count(), reader.Count(), reader.Count());
            if (length == 0 || rows > length)
                throw new InvalidDataException($"A chunk of {length} tokens cannot ask for {rows} rows.");
            List<int> table = [.. MemoryMarshal.Cast<byte, int>(reader.Take((long)blocks * sizeof(int)))];
            batch.Add(MemoryMarshal.Cast<byte, int>(reader.Take((long)length * sizeof(int))), position, table, rows);
        }
        return reader.Remaining == 0 ? step : throw new InvalidDataException($"A step has {reader.Remaining} bytes too many.");
    }
}
