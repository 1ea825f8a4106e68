using System.Buffers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>Memory that is no array and refuses to be pinned, as a caller may hand it in.</summary>
public sealed class BorrowedMemory(byte[] bytes) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => bytes;

    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("This memory cannot be pinned.");

    public override void Unpin() => throw new NotSupportedException("This memory cannot be pinned.");

    protected override bool TryGetArray(out ArraySegment<byte> segment)
    {
        segment = default;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
    }
}

/// <summary>Builds sequences of several segments.</summary>
public static class Sequences
{
    /// <summary>One segment for each part, in order; parts may be empty.</summary>
    public static ReadOnlySequence<byte> Of(params ReadOnlyMemory<byte>[] parts)
    {
        var first = new Segment(parts[0], 0);
        var last = first;
        foreach (var part in parts.AsSpan(1))
        {
            last = last.Append(part);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long start)
        {
            Memory = memory;
            RunningIndex = start;
        }

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
