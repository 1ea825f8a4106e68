using System.Security.Cryptography;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>What opening a store found.</summary>
internal sealed record OpenReport(bool IsNew, string Trust, int Entries, int Holes, int Scanned);

/// <summary>
/// The disk tier's store: an append-only log of segments and, in memory, the index of what in it is alive. Nothing above knows that a
/// file exists.
///
/// Layout: <c>docs/format.md</c>.
///
/// Concurrency: opening, appending, heartbeat and closing happen on one thread, the writer lane. Reads run on any other
/// thread at the same time; index and barriers have their own short locks.
///
/// Order of effects: whoever mutates changes index and barriers first and then appends. The first thing that opening does to
/// a trusted store is to mark it as in use, durably; the last thing that closing does is to mark it as clean.
///
/// Faults: every member throws what the file system throws. After a throw from <see cref="Append"/> the log is intact up to its
/// last verified byte, and what was not appended is still the caller's.
/// </summary>
internal sealed class SegmentStore : IDisposable
{
    /// <summary>Distance between the numbers of two sessions, far more than any that were handed out and not seen on disk.</summary>
    private const long SessionGap = 1L << 20;

    /// <summary>Corrupt records after which a segment is retired: more than a single bad sector accounts for.</summary>
    private const int DamagedAtCount = 8;

    private static readonly TimeSpan s_maxClockLead = TimeSpan.FromHours(1);

    private readonly CacheDirectory _directory;
    private readonly CacheClock _clock;
    private readonly SegmentTable _segments = new();
    private readonly Superblock _identity;
    private readonly StoreFile _superblockFile;
    private readonly SegmentWriter _writer;
    private readonly Reclaim _reclaim;
    private readonly Quarantine _quarantine;
    private readonly RecordReader _reader;
    private readonly StoreListener _listener;
    private long _generation;
    private int _damagedCount;
    private bool _hasSyncFailed;
    private long _markedSegment;

    private SegmentStore(
        CacheDirectory directory, StoreSettings settings, CacheClock clock, Quarantine quarantine, StoreListener listener, OpenedSuperblock opened)
    {
        _directory = directory;
        _clock = clock;
        _quarantine = quarantine;
        _listener = listener;
        _identity = opened.Superblock;
        _superblockFile = opened.File;
        _generation = opened.Superblock.Generation;
        var storeId = _identity.StoreId;
        _writer = new SegmentWriter(directory, settings, storeId, _segments, Index, Barriers, clock);
        _reclaim = new Reclaim(directory, settings, storeId, _segments, Index, Barriers, _writer, clock, listener);
        _reader = new RecordReader(_segments, Index, _quarantine);
    }

    public EntryIndex Index { get; } = new(SegmentTable.SlotCount);

    public TagBarriers Barriers { get; } = new();

    /// <summary>Where the numbers of this session begin.</summary>
    public long FirstSequence { get; private set; }

    public OpenReport Report { get; private set; } = null!;

    public long DiskBytes => _reclaim.OwnBytes;

    public long ErasedSegments => _reclaim.ErasedCount;

    /// <summary>Those of the erased segments whose files are used again.</summary>
    public long RecycledSegments => _reclaim.RecycledCount;

    /// <summary>Whether the file system, and not the limit of the cache, keeps the store from growing.</summary>
    public bool IsShortOfSpace => _reclaim.Space.IsShort;

    /// <summary>Opens the store of a directory, or begins a new one where what is there cannot be trusted.</summary>
    public static SegmentStore Open(
        CacheDirectory directory, StoreSettings settings, CacheClock clock, Quarantine quarantine, StoreListener listener)
    {
        directory.Prepare();
        directory.Lock();
        var file = directory.Open(directory.Superblock, FileMode.OpenOrCreate);
        SegmentStore? store = null;
        try
        {
            var bootId = directory.ReadBootId();
            var (found, reason) = Judge(file, bootId, clock);
            var superblock = (found ?? NewIdentity()) with { SessionId = NewGuid(), BootId = bootId, IsClean = found?.IsClean ?? false };
            store = new SegmentStore(directory, settings, clock, quarantine, listener, new OpenedSuperblock(superblock, file));
            store.Recover(found, reason);
            return store;
        }
        catch
        {
            store?.Dispose();
            file.Dispose();
            throw;
        }
    }

    public ulong HashOf(in CacheKey key) => KeyHash.Of(key, _identity.HashSeed);

    /// <summary>Reads one version, verified. Runs on any thread but the writer lane's.</summary>
    public ReadOutcome Read(in CacheKey key, in IndexedEntry where, out CacheEntry? entry)
    {
        var outcome = _reader.Read(key, where, out entry);
        if (outcome == ReadOutcome.Corrupt && _segments.At(where.Slot) is { CorruptCount: DamagedAtCount })
        {
            Interlocked.Increment(ref _damagedCount);
        }

        return outcome;
    }

    /// <inheritdoc cref="RecordReader.TryReadCached"/>
    public bool TryReadCached(in CacheKey key, in IndexedEntry where, out CacheEntry? entry) =>
        _reader.TryReadCached(key, where, out entry);

    /// <summary>
    /// Appends mutations in order; they are with the operating system when this returns. After a throw some may have been appended;
    /// appending them again is right. On a full disk the oldest segments make room; a throw of <see cref="FaultKind.Full"/> says
    /// that nothing is left that could.
    /// </summary>
    public void Append(IReadOnlyList<Mutation> batch)
    {
        int writtenCount = 0;
        long clearedIn = 0;

        // Each try uses up the reserve or an older segment.
        for (int left = _segments.Ordered.Count + 1; ; left--)
        {
            try
            {
                AppendFrom(batch, ref writtenCount, ref clearedIn);
                break;
            }
            catch (IOException exception) when (left > 0 && CanGiveWay(exception))
            {
                // Where it was a write that failed, its segment has ended, and the next one begins in the reserve.
                _reclaim.Space.RunOut();
            }
        }

        if (clearedIn > 0)
        {
            EraseCleared(clearedIn);
        }
    }

    /// <summary>Gives back what others need: erases oldest segments until <c>MinFreeDiskBytes</c> are free or only the newest is left.</summary>
    public void ShrinkToFit() => _reclaim.ShrinkToFit();

    /// <summary>Whether a segment has so many corrupt records that it should be retired.</summary>
    public bool HasDamagedSegment => Volatile.Read(ref _damagedCount) > 0;

    /// <summary>Brings what still matters in badly damaged segments to the end of the log. On the writer lane.</summary>
    public void RetireDamaged()
    {
        Volatile.Write(ref _damagedCount, 0);
        foreach (var segment in _segments.Ordered.Where(segment => segment is { IsRetired: false, CorruptCount: >= DamagedAtCount }).ToList())
        {
            if (_writer.IsActive(segment))
            {
                Roll(0);
            }

            _reclaim.Retire(segment, Roll);
        }
    }

    /// <summary>Stores the position of the log and the clock in the superblock slot that is not the newest.</summary>
    public void Heartbeat() => WriteSlot((int)(++_generation % Superblock.SlotCount), isClean: false);

    /// <summary>Makes everything that was appended durable. Once that has failed, no later success is believed.</summary>
    public void Sync()
    {
        if (_hasSyncFailed)
        {
            throw new IOException("An earlier sync failed, so it is not known what is durable.");
        }

        // The kernel says so once: a second sync would succeed although the data is lost.
        _hasSyncFailed = true;
        foreach (var segment in _segments.Ordered)
        {
            if (!segment.IsSynced)
            {
                segment.File.Sync();
                segment.IsSynced = !_writer.IsActive(segment);
            }
        }

        _directory.SyncFolder(_directory.StoreOf(_identity.StoreId));
        _hasSyncFailed = false;
    }

    /// <summary>Seals, syncs and marks the store as clean. Without this, or when it throws, the store is one of a killed process.</summary>
    public void Close()
    {
        if (_writer.HasAbandoned)
        {
            Roll(0);
        }

        Seal();
        Sync();
        WriteBothSlots(isClean: true);
    }

    /// <summary>Erases what stores that were given up have left, a file at each step, until a step answers false.</summary>
    public bool EraseOtherStep()
    {
        if (_directory.OtherStores(_identity.StoreId) is not [var folder, ..])
        {
            return false;
        }

        if (_directory.FilesIn(folder) is [var file, ..])
        {
            file.Delete();
        }
        else
        {
            _directory.DeleteFolder(folder);
        }

        return true;
    }

    public void Dispose()
    {
        _segments.Dispose();
        _superblockFile.Dispose();
    }

    /// <summary>Decides whether what is there can be trusted. The reason is for people.</summary>
    private static (Superblock? Found, string Reason) Judge(StoreFile file, Guid bootId, CacheClock clock)
    {
        byte[] bytes = new byte[Superblock.SlotCount * Superblock.SlotBytes];
        int read = file.Read(bytes, 0);
        if (read == 0)
        {
            return (null, "there was none");
        }

        var first = Superblock.TryRead(bytes.AsSpan(0, Math.Min(read, Superblock.SlotBytes)), 0);
        var second = Superblock.TryRead(bytes.AsSpan(Math.Min(read, Superblock.SlotBytes), Math.Max(0, read - Superblock.SlotBytes)), 1);
        if (first is null || second is null || first.StoreId != second.StoreId || file.Length != bytes.Length)
        {
            return (null, "the superblock does not verify");
        }

        var newest = first.Generation > second.Generation ? first : second;
        if (newest.ClockHighWater > Expiry.Add(clock.UtcTicks, s_maxClockLead.Ticks))
        {
            return (null, "the clock was set back by more than an hour");
        }

        bool isClean = first.IsClean && second.IsClean;
        bool isSuspect = first.IsSuspect || second.IsSuspect;
        bool isSameBoot = bootId != Guid.Empty && newest.BootId == bootId;
        return isSuspect ? (null, "it owed mutations")
            : isClean ? (newest, "closed clean")
            : isSameBoot ? (newest with { IsClean = false }, "the process was killed")
            : (null, "it was not closed clean and the operating system has restarted since");
    }

    private static Superblock NewIdentity() => new()
    {
        StoreId = NewGuid(),
        HashSeed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))),
        SessionId = NewGuid(),
        BootId = Guid.Empty,
    };

    private static Guid NewGuid() => new(RandomNumberGenerator.GetBytes(16));

    private void Recover(Superblock? found, string reason)
    {
        _directory.CreateStore(_identity.StoreId);
        _directory.SyncFolder(_directory.Segments);
        if (found is null)
        {
            // The slots first: from here on the old store is not looked at again, whatever happens next.
            WriteBothSlots(isClean: false);
            Report = new OpenReport(true, reason, 0, 0, 0);
        }
        else
        {
            _clock.AdvanceTo(found.ClockHighWater);
            _directory.Delete(_directory.SpareOf(found.StoreId));
            var recovery = new Recovery(_directory, found.StoreId, _segments, Index, Barriers, _listener);
            _writer.ContinueAfter(recovery.Run(found));
            WriteBothSlots(isClean: false);
            Report = new OpenReport(false, reason, Index.Count, recovery.HoleCount, recovery.ScannedCount);
        }

        FirstSequence = _writer.Mark.HighestSequence + SessionGap;
        FitRecovered();
    }

    /// <summary>What was recovered may be more than the limits and the disk allow now.</summary>
    private void FitRecovered()
    {
        try
        {
            ShrinkToFit();
            if (_reclaim.IsNeededFor(0) || _reclaim.IsNeededForCounts)
            {
                Roll(0);
            }
        }
        catch (IOException exception) when (Faults.KindOf(exception) == FaultKind.Full)
        {
            // It can be read all the same. What has to go goes before the first append.
        }
    }

    /// <param name="batch">The mutations.</param>
    /// <param name="writtenCount">How many have been written, and then the same.</param>
    /// <param name="clearedIn">The segment in which the last clear is.</param>
    private void AppendFrom(IReadOnlyList<Mutation> batch, ref int writtenCount, ref long clearedIn)
    {
        for (int i = writtenCount; i < batch.Count; i++)
        {
            var mutation = batch[i];
            bool hasRoom = _writer.HasRoom(mutation.RecordBytes);
            if (!hasRoom)
            {
                _writer.WriteRun();
                writtenCount = i;
                hasRoom = TryRoll(mutation);
            }

            MarkSegment();
            if (hasRoom)
            {
                _writer.Add(mutation);
            }
            else
            {
                _writer.Refuse(mutation);
            }

            if (mutation is { Kind: RecordKind.Clear, IsMerged: false })
            {
                clearedIn = _writer.Mark.Segment;
            }
        }

        _writer.WriteRun();
        writtenCount = batch.Count;
    }

    private bool CanGiveWay(Exception exception) =>
        exception is not NoRoomException && Faults.KindOf(exception) == FaultKind.Full && _reclaim.HasSomethingToGive;

    /// <summary>
    /// Goes on to the next segment. False when a value is too large for the disk as it is, and there is room for its removal: it must not
    /// cost everything that is there, nor keep what comes behind it waiting.
    /// </summary>
    private bool TryRoll(Mutation mutation)
    {
        bool isRefused = mutation.Kind == RecordKind.Value && !CanRoll(mutation.RecordBytes);
        long recordBytes = isRefused ? RecordFormat.LengthOf(0) : mutation.RecordBytes;
        if (!_writer.HasRoom(recordBytes))
        {
            Roll(recordBytes);
        }

        return !isRefused;
    }

    private bool CanRoll(long recordBytes)
    {
        _reclaim.Space.Measure();
        return _reclaim.CanMakeRoomFor(recordBytes);
    }

    /// <summary>
    /// Goes on to the next segment. As a rule the spare is there and costs no bytes, and what has to go is reclaimed afterwards, with
    /// a new segment at hand for what is worth keeping.
    /// </summary>
    private void Roll(long recordBytes)
    {
        if (!CanRoll(recordBytes))
        {
            throw new NoRoomException();
        }

        _reclaim.MakeRoom(() => _writer.BytesToBegin(recordBytes), reservedBytes: 0);
        Seal();

        // Once more, for what had to be left because it was in the active segment.
        _reclaim.MakeRoom(() => _writer.BytesToBegin(recordBytes), reservedBytes: 0);
        if (_reclaim.Space.Lacks(_writer.BytesToBegin(recordBytes)))
        {
            throw new NoRoomException();
        }

        Begin(recordBytes);
        _reclaim.KeepCounts(recordBytes);
        _reclaim.EnsureSpare(recordBytes);
    }

    private void Begin(long recordBytes)
    {
        bool grows = _writer.BytesToBegin(recordBytes) > 0;
        _writer.Begin(recordBytes);
        if (grows)
        {
            _reclaim.Space.Grew();
        }

        MarkSegment();
    }

    /// <summary>
    /// Before the first record of a segment the superblock has its number: a segment that is missing later was there, and may have
    /// held a removal.
    /// </summary>
    private void MarkSegment()
    {
        if (_markedSegment != _writer.Mark.Segment)
        {
            Heartbeat();
        }
    }

    private void Seal()
    {
        _reclaim.MakeRoom(() => _writer.BytesToSeal, reservedBytes: 0);
        _writer.Seal();
    }

    /// <summary>A clear is in the log: nothing before it is alive. Its own segment stays, and what is behind it there.</summary>
    private void EraseCleared(long clearedIn)
    {
        try
        {
            _reclaim.EraseUpTo(clearedIn - 1);
            _quarantine.Empty();
        }
        catch (Exception exception)
        {
            // The clear itself is done; what could not be erased now goes in its turn.
            _listener.Faulted(exception);
        }
    }

    private void WriteBothSlots(bool isClean)
    {
        _generation++;
        for (int slot = 0; slot < Superblock.SlotCount; slot++)
        {
            WriteSlot(slot, isClean);
        }

        _superblockFile.Sync();
        _directory.SyncFolder(_directory.Path);
    }

    private void WriteSlot(int slot, bool isClean)
    {
        byte[] bytes = new byte[Superblock.SlotBytes];
        var content = _identity with
        {
            Generation = _generation,
            IsClean = isClean,
            IsMarkFinal = !_writer.HasActive,
            ClockHighWater = _clock.NowTicks,
            Mark = _writer.Mark,
        };
        content.WriteTo(bytes, slot);
        _superblockFile.Write(bytes, (long)slot * Superblock.SlotBytes);
        _markedSegment = content.Mark.Segment;
    }

    private sealed record OpenedSuperblock(Superblock Superblock, StoreFile File);
}
