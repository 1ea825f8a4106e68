using System.Buffers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// Memory that is no array and refuses to be pinned, as a caller may hand it in. Once it is given back, whoever touches it gets an
/// exception and is counted.
/// </summary>
public sealed class BorrowedMemory(byte[] bytes) : MemoryManager<byte>
{
    private volatile bool _isGivenBack;
    private int _lateTouches;

    /// <summary>How often it was touched after it was given back.</summary>
    public int LateTouches => Volatile.Read(ref _lateTouches);

    /// <summary>The whole of it as a sequence.</summary>
    public ReadOnlySequence<byte> Sequence => new(Memory);

    public void GiveBack() => _isGivenBack = true;

    public override Span<byte> GetSpan()
    {
        if (_isGivenBack)
        {
            Interlocked.Increment(ref _lateTouches);
            throw new InvalidOperationException("This memory was given back.");
        }

        return bytes;
    }

    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("This memory cannot be pinned.");

    public override void Unpin() => throw new NotSupportedException("This memory cannot be pinned.");

    protected override bool TryGetArray(out ArraySegment<byte> segment)
    {
        segment = default;
        return false;
    }

    protected override void Dispose(bool disposing) => GiveBack();
}

/// <summary>A writer that is lent for one call. Once it is given back, whoever touches it gets an exception and is counted.</summary>
public sealed class BorrowedWriter : IBufferWriter<byte>
{
    private readonly ArrayBufferWriter<byte> _writer = new();
    private volatile bool _isGivenBack;
    private int _lateTouches;

    /// <inheritdoc cref="BorrowedMemory.LateTouches"/>
    public int LateTouches => Volatile.Read(ref _lateTouches);

    public int WrittenCount => _writer.WrittenCount;

    public void GiveBack() => _isGivenBack = true;

    public void Advance(int count) => Writer().Advance(count);

    public Memory<byte> GetMemory(int sizeHint = 0) => Writer().GetMemory(sizeHint);

    public Span<byte> GetSpan(int sizeHint = 0) => Writer().GetSpan(sizeHint);

    private ArrayBufferWriter<byte> Writer()
    {
        if (_isGivenBack)
        {
            Interlocked.Increment(ref _lateTouches);
            throw new InvalidOperationException("This writer was given back.");
        }

        return _writer;
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
