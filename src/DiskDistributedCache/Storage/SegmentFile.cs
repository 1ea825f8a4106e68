using System.Buffers;
using System.Collections.Concurrent;

namespace DiskDistributedCache.Storage;

/// <summary>One segment: its file, its number in the log and its slot in the index. Sealed as soon as it is not the active one.</summary>
internal sealed class SegmentFile(long number, int slot, SegmentSeed seed, StoreFile file, long lengthBytes) : IDisposable
{
    private readonly Lock _syncLock = new();
    private int _corruptCount;

    public long Number { get; } = number;

    public int Slot { get; } = slot;

    public SegmentSeed Seed { get; } = seed;

    public StoreFile File { get; } = file;

    /// <summary>The length of the file as it counts against the limit.</summary>
    public long LengthBytes { get; set; } = lengthBytes;

    /// <summary>The footer, where it is not in the file itself but carried by the successor.</summary>
    public byte[]? CarriedFooter { get; set; }

    /// <summary>Whether everything in the file is known to be durable. Only of a sealed segment.</summary>
    public bool IsSynced { get; set; }

    /// <summary>Whether the operating system has lost something of the file. It says so once: no later success is believed.</summary>
    public bool HasSyncFailed { get; private set; }

    /// <summary>Whether the segment has been handed out to be synced.</summary>
    public bool IsSyncQueued { get; set; }

    /// <summary>Whether a value that is retained was ever written to it.</summary>
    public bool HasRetained { get; set; }

    /// <summary>Whether so much of the segment is corrupt that what is live in it has been appended again elsewhere.</summary>
    public bool IsRetired { get; set; }

    /// <summary>How often it was tried to retire it.</summary>
    public int RetireTries { get; set; }

    /// <summary>Whether a write to it failed: its file is not written again, also not as another segment.</summary>
    public bool IsBroken { get; set; }

    /// <summary>
    /// Whether its file may become another segment: no write to it and no sync of it failed, and its bytes have always been
    /// read as they were written.
    /// </summary>
    public bool CanBeRecycled => !IsBroken && !HasSyncFailed && !IsRetired && CarriedFooter is null && CorruptCount == 0;

    /// <summary>Records of the segment that did not verify.</summary>
    public int CorruptCount => Volatile.Read(ref _corruptCount);

    public void CountCorrupt() => Interlocked.Increment(ref _corruptCount);

    /// <summary>The facts of a sealed segment, or null where its footer cannot be believed.</summary>
    public SegmentFacts? ReadFooter()
    {
        if (CarriedFooter is not null)
        {
            return SegmentFacts.FromFooter(CarriedFooter, Seed);
        }

        long length = File.Length;
        Span<byte> trailer = stackalloc byte[SegmentFormat.TrailerBytes];
        if (length < SegmentFormat.HeaderBytes + trailer.Length || File.Read(trailer, length - trailer.Length) < trailer.Length)
        {
            return null;
        }

        long footerLength = SegmentFormat.FooterLengthFrom(trailer);
        if (footerLength < trailer.Length || footerLength > Math.Min(length - SegmentFormat.HeaderBytes, Array.MaxLength))
        {
            return null;
        }

        long begin = length - footerLength;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)footerLength);
        try
        {
            var footer = buffer.AsSpan(0, (int)footerLength);
            return File.Read(footer, begin) == footer.Length && SegmentFacts.FromFooter(footer, Seed) is { } facts && facts.EndOffset == begin
                ? facts
                : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Seals the segment with its facts, and returns how long it is from then on. Through the pool, as in <see cref="ReadFooter"/>: new arrays of this size would have
    /// the collector go through the whole heap.
    /// </summary>
    public long WriteFooter(SegmentFacts facts)
    {
        int footerLength = (int)facts.FooterLength;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(footerLength);
        try
        {
            var footer = buffer.AsSpan(0, footerLength);
            facts.WriteFooter(footer, Seed);
            File.Write(footer, facts.EndOffset);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return File.Length = facts.EndOffset + footerLength;
    }

    /// <summary>
    /// Makes what was written durable, on any thread. A segment that was retired because that has failed has nothing to lose any more; one that was
    /// erased meanwhile neither.
    /// </summary>
    /// <exception cref="IOException">It is not known what is durable.</exception>
    public void Sync(bool isSealed)
    {
        lock (_syncLock)
        {
            if (IsSynced || (IsRetired && HasSyncFailed))
            {
                return;
            }

            if (HasSyncFailed)
            {
                throw new SyncFailedBeforeException();
            }

            try
            {
                File.Sync();
                IsSynced = isSealed;
            }
            catch (ObjectDisposedException)
            {
                IsSynced = true;
            }
            catch
            {
                HasSyncFailed = true;
                throw;
            }
        }
    }

    public void Dispose() => File.Dispose();
}

/// <summary>
/// The segments of the log in order, and the slots by which the index names them.
///
/// Concurrency: readers look slots up at any time and take what they find; everything else happens on the writer lane. A slot
/// that is used again names another segment, whose records do not verify for whoever still looks for the old one.
///
/// The last close of a file that has been erased is what gives its blocks back, and takes as long as they are many. It can be left to
/// another thread, for at most as many files as <see cref="MaxUnclosed"/>.
/// </summary>
internal sealed class SegmentTable : IDisposable
{
    /// <summary>More than any limit allows, because the log of an earlier run with other limits has to be read first.</summary>
    public const int SlotCount = (2 * StoreSettings.MaxSegments) + 1024;

    private const int MaxUnclosed = 2;

    private readonly ConcurrentQueue<SegmentFile> _unclosed = new();
    private readonly SegmentFile?[] _slots = new SegmentFile?[SlotCount];
    private readonly List<SegmentFile> _ordered = [];
    private long _totalBytes;

    public IReadOnlyList<SegmentFile> Ordered => _ordered;

    /// <summary>Bytes of all files.</summary>
    public long TotalBytes => Volatile.Read(ref _totalBytes);

    public SegmentFile? At(int slot) => (uint)slot < (uint)_slots.Length ? Volatile.Read(ref _slots[slot]) : null;

    public int FreeSlot() => Array.IndexOf(_slots, null);

    /// <summary>Adds the newest segment.</summary>
    public void Add(SegmentFile segment)
    {
        _ordered.Add(segment);
        Volatile.Write(ref _slots[segment.Slot], segment);
        Volatile.Write(ref _totalBytes, _totalBytes + segment.LengthBytes);
    }

    public void Resize(SegmentFile segment, long lengthBytes)
    {
        Volatile.Write(ref _totalBytes, _totalBytes + lengthBytes - segment.LengthBytes);
        segment.LengthBytes = lengthBytes;
    }

    /// <param name="segment">The segment.</param>
    /// <param name="mayCloseLater">Whether its file may be open until <see cref="CloseErased"/>.</param>
    public void Remove(SegmentFile segment, bool mayCloseLater = false)
    {
        _ordered.Remove(segment);
        Volatile.Write(ref _slots[segment.Slot], null);
        Volatile.Write(ref _totalBytes, _totalBytes - segment.LengthBytes);
        if (mayCloseLater && _unclosed.Count < MaxUnclosed)
        {
            _unclosed.Enqueue(segment);
        }
        else
        {
            segment.Dispose();
        }
    }

    /// <summary>Closes what was left open, on any thread.</summary>
    public void CloseErased()
    {
        while (_unclosed.TryDequeue(out var erased))
        {
            erased.Dispose();
        }
    }

    /// <summary>Lets go of every segment; the files stay.</summary>
    public void Clear()
    {
        while (_ordered.Count > 0)
        {
            Remove(_ordered[^1]);
        }

        CloseErased();
    }

    public void Dispose()
    {
        CloseErased();
        foreach (var segment in _ordered)
        {
            segment.Dispose();
        }
    }
}

/// <summary>An earlier sync of a segment failed: no news, but nothing that is done now makes it durable.</summary>
internal sealed class SyncFailedBeforeException()
    : IOException("An earlier sync of a segment failed, so it is not known what is durable.");
