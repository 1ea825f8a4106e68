using System.Buffers.Binary;
using System.Text;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>What a worker tells. What is begun is told before the cache is called, what is done after it has returned.</summary>
internal enum WorkerEventKind : byte
{
    /// <summary>The process runs; nothing is open.</summary>
    Started,

    /// <summary>The store is open, and why it was believed or not.</summary>
    Opened,

    /// <summary>Every key was read once after the opening; the load begins.</summary>
    Checked,

    SetBegun,
    SetDone,
    RemoveBegun,
    RemoveDone,
    EvictionBegun,
    EvictionDone,

    /// <summary>Version 0 for a miss, -1 for something that was never stored for this key.</summary>
    Read,
    Refreshed,

    /// <summary>The cache was closed, as was asked for.</summary>
    Closed,

    /// <summary>Something was thrown: the text says what.</summary>
    Threw,
}

/// <summary>
/// One event on the pipe. It is written with a single write(2), smaller than a pipe takes at once, so a kill loses what was not
/// written and never a part of it, and the events of several threads do not mix.
///
/// Layout: kind (1), text length (2), key (2), version (4), tag (1), is sliding (1), lifetime in ms (4), began (8), ended (8), text.
/// </summary>
internal readonly record struct WorkerEvent(WorkerEventKind Kind, int Key = 0, int Version = 0)
{
    public const int NoTag = 255;

    private const int HeadBytes = 1 + 2 + 2 + 4 + 1 + 1 + 4 + 8 + 8;
    private const int MaxTextBytes = 2_000;

    public int Tag { get; init; } = NoTag;

    public bool IsSliding { get; init; }

    /// <summary>0 for none.</summary>
    public int LifeMilliseconds { get; init; }

    public long Began { get; init; } = DateTime.UtcNow.Ticks;

    public long Ended { get; init; } = DateTime.UtcNow.Ticks;

    public string Text { get; init; } = "";

    public byte[] ToBytes()
    {
        byte[] text = Encoding.UTF8.GetBytes(Text);
        int textBytes = Math.Min(text.Length, MaxTextBytes);
        byte[] bytes = new byte[HeadBytes + textBytes];
        bytes[0] = (byte)Kind;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(1), (ushort)textBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(3), (ushort)Key);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(5), Version);
        bytes[9] = (byte)Tag;
        bytes[10] = IsSliding ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(11), LifeMilliseconds);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(15), Began);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(23), Ended);
        text.AsSpan(0, textBytes).CopyTo(bytes.AsSpan(HeadBytes));
        return bytes;
    }

    /// <summary>Takes one event off the front; false when there is no whole one.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> bytes, out WorkerEvent read)
    {
        read = default;
        if (bytes.Length < HeadBytes || bytes.Length < HeadBytes + BinaryPrimitives.ReadUInt16LittleEndian(bytes[1..]))
        {
            return false;
        }

        int length = HeadBytes + BinaryPrimitives.ReadUInt16LittleEndian(bytes[1..]);
        read = new WorkerEvent(
            (WorkerEventKind)bytes[0], BinaryPrimitives.ReadUInt16LittleEndian(bytes[3..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[5..]))
        {
            Tag = bytes[9],
            IsSliding = bytes[10] != 0,
            LifeMilliseconds = BinaryPrimitives.ReadInt32LittleEndian(bytes[11..]),
            Began = BinaryPrimitives.ReadInt64LittleEndian(bytes[15..]),
            Ended = BinaryPrimitives.ReadInt64LittleEndian(bytes[23..]),
            Text = Encoding.UTF8.GetString(bytes[HeadBytes..length]),
        };
        bytes = bytes[length..];
        return true;
    }
}
