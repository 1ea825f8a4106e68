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
/// last verified byte, and what was not appended is still the caller's. What is on disk can be given up: then the same object goes on
/// with an empty store, so that nobody above has to change hands.
/// </summary>
internal sealed partial class SegmentStore : IDisposable
{
    /// <summary>Distance between the numbers of two sessions, far more than any that were handed out and not seen on disk.</summary>
    private const long SessionGap = 1L << 20;

    /// <summary>Corrupt records after which a segment is retired: more than a single bad sector accounts for.</summary>
    private const int DamagedAtCount = 8;

    /// <summary>Segments that one append gives up at the most when the disk is full although it has been given room.</summary>
    private const int MaxWaysGiven = 4;

    private const int ProbeBytes = 256;

    private static readonly CacheKey s_probeKey = new(KeySpace.Probe, "probe");

    private readonly CacheDirectory _directory;
    private readonly StoreSettings _settings;
    private readonly CacheClock _clock;
    private readonly SegmentTable _segments = new();
    private readonly Quarantine _quarantine;
    private readonly RecordReader _reader;
    private readonly StoreListener _listener;
    private readonly TrustMark _trust;
    private SuperblockFile _superblock;
    private SegmentWriter _writer;
    private Reclaim _reclaim;
    private int _damagedCount;
    private long _markedSegment;

    private SegmentStore(
        CacheDirectory directory,
        StoreSettings settings,
        CacheClock clock,
        Quarantine quarantine,
        TrustMark trust,
        StoreListener listener,
        SuperblockFile superblock)
    {
        (_directory, _settings, _clock, _quarantine, _trust, _listener) = (directory, settings, clock, quarantine, trust, listener);
        _reader = new RecordReader(_segments, Index, _quarantine, settings.Codec, settings.HashOf);
        (_superblock, _writer, _reclaim) = (superblock, null!, null!);
        Use(superblock);
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

    /// <summary>Whether a clear has been accepted that the log does not have yet. On the writer lane.</summary>
    public bool HasUnloggedClear => _writer.HasUnloggedClear;

    /// <summary>Whether the last append has stored the removal of a value in its place, because there was no room for the value. On the writer lane.</summary>
    public bool HasRefused { get; private set; }

    /// <summary>Whether the file system, and not the limit of the cache, keeps the store from growing.</summary>
    public bool IsShortOfSpace => _reclaim.Space.IsShort;

    /// <summary>Makes sure that the store is still this process's, and where others would find it.</summary>
    /// <exception cref="StoreGoneException">It is not.</exception>
    public void CheckIdentity()
    {
        _superblock.CheckIdentity();
        if (_writer.HasActive)
        {
            CheckActive();
        }
        else
        {
            _directory.CheckStore(_superblock.Identity.StoreId);
        }
    }

    public ulong HashOf(in CacheKey key) => _settings.HashOf(key, _superblock.Identity.HashSeed);

    /// <summary>Reads one version, verified. Runs on any thread but the writer lane's.</summary>
    public ReadOutcome Read(in CacheKey key, in IndexedEntry where, out CacheEntry? entry, PendingRead? pending = null)
    {
        var outcome = _reader.Read(key, where, pending, out entry);
        if (outcome == ReadOutcome.Corrupt && _segments.At(where.Slot) is { CorruptCount: >= DamagedAtCount, IsRetired: false })
        {
            Interlocked.Increment(ref _damagedCount);
        }

        return outcome;
    }

    /// <inheritdoc cref="RecordReader.ReadHead"/>
    public EntryHead? ReadHead(in IndexedEntry where) => _reader.ReadHead(where, _superblock.Identity.HashSeed);

    /// <inheritdoc cref="RecordReader.TryReadCached"/>
    public bool TryReadCached(in CacheKey key, in IndexedEntry where, out CacheEntry? entry) =>
        _reader.TryReadCached(key, where, out entry);

    /// <inheritdoc cref="RecordReader.TryBorrow"/>
    public bool TryBorrow(in CacheKey key, in IndexedEntry where, out BorrowedRecord record) =>
        _reader.TryBorrow(key, where, out record);

    /// <summary>
    /// Appends mutations in order; they are with the operating system when this returns. After a throw some may have been appended;
    /// appending them again is right. On a full disk the oldest segments make room; a throw of <see cref="FaultKind.Full"/> says
    /// that nothing is left that could.
    /// </summary>
    public void Append(IReadOnlyList<Mutation> batch)
    {
        HasRefused = false;
        int writtenCount = 0;
        long clearedIn = 0;

        // Each try uses up the reserve or an older segment. A disk that takes even what was just given back has other trouble, and
        // must not cost everything that is there.
        for (int left = MaxWaysGiven; ; left--)
        {
            try
            {
                AppendFrom(batch, ref writtenCount, ref clearedIn);
                break;
            }
            catch (IOException exception) when (left > 0 && CanGiveWay(exception))
            {
                // Where it was a write that failed, its segment has ended, and the next one begins in the reserve.
                _writer.ForgetRun();
                _reclaim.Space.RunOut();
            }
            catch
            {
                // What is left in the run has its place in the segment that is active now; the next one may be another.
                _writer.ForgetRun();
                throw;
            }
        }

        if (clearedIn > 0)
        {
            EraseCleared(clearedIn);
        }
    }

    /// <summary>Gives back what others need: erases oldest segments until <c>MinFreeDiskBytes</c> are free or only the newest is left.</summary>
    public void ShrinkToFit()
    {
        try
        {
            MarkActive();
        }
        catch (IOException exception) when (Faults.KindOf(exception) == FaultKind.Full)
        {
            // Room is what this is for. Nothing can be brought along to a segment that is given up.
            _writer.GiveUpActive();
        }

        _reclaim.ShrinkToFit();
    }

    /// <summary>Whether a segment has so many corrupt records that it should be retired.</summary>
    public bool HasDamagedSegment => Volatile.Read(ref _damagedCount) > 0;

    /// <summary>
    /// Brings what still matters in badly damaged segments, and in those of which a sync failed, to the end of the log. On the
    /// writer lane. Returns how many there were.
    /// </summary>
    public int RetireDamaged()
    {
        MarkActive();
        int retired = 0;
        Volatile.Write(ref _damagedCount, 0);
        foreach (var segment in _segments.Ordered.Where(segment => segment is { IsRetired: false } and ({ CorruptCount: >= DamagedAtCount } or { HasSyncFailed: true })).ToList())
        {
            if (_writer.IsActive(segment))
            {
                Roll(0);
            }

            _reclaim.Retire(segment, Roll);
            retired++;
        }

        return retired;
    }

    /// <summary>
    /// Stores the position of the log and the clock in the superblock, having made sure that the store is still this process's.
    /// </summary>
    /// <exception cref="StoreGoneException">It is not.</exception>
    public void Heartbeat()
    {
        CheckIdentity();
        _superblock.WriteNext(StateAs(isClean: false));
        _markedSegment = _writer.Mark.Segment;
    }

    /// <summary>
    /// Writes an entry, reads it back and removes it, like any other entry. Returns whether it came back as it was; the numbers are
    /// those of the two mutations.
    /// </summary>
    public bool Probe(long valueSequence, long removalSequence)
    {
        byte[] value = RandomNumberGenerator.GetBytes(ProbeBytes);
        var entry = new CacheEntry(s_probeKey, value, [], Expiry.None, Expiry.Never);
        entry.Number(valueSequence, valueSequence);
        ulong keyHash = HashOf(s_probeKey);
        Index.SetPending(keyHash, valueSequence, entry.Deadline);
        try
        {
            var mutation = Mutation.Of(entry);
            (mutation.Sequence, mutation.KeyHash) = (valueSequence, keyHash);
            Append([mutation]);
            return Index.TryGet(keyHash, out var where)
                && !where.IsPending
                && Read(s_probeKey, where, out var found) == ReadOutcome.Hit
                && found!.Value.ToArray().AsSpan().SequenceEqual(value);
        }
        finally
        {
            Index.Remove(keyHash, removalSequence);
            Append([new Mutation(RecordKind.Removal) { Key = s_probeKey, KeyHash = keyHash, Sequence = removalSequence }]);
        }
    }

    /// <summary>
    /// The segments whose bytes may not be durable yet, for <see cref="Sync"/> on another thread: those that were sealed since the last
    /// call, or all of them.
    /// </summary>
    public IReadOnlyList<UnsyncedSegment> TakeUnsynced(bool all)
    {
        var unsynced = new List<UnsyncedSegment>();
        foreach (var segment in _segments.Ordered)
        {
            bool isSealed = !_writer.IsActive(segment);
            if (!segment.IsSynced && (all || (isSealed && !segment.IsSyncQueued)))
            {
                segment.IsSyncQueued |= isSealed;
                unsynced.Add(new UnsyncedSegment(segment, isSealed));
            }
        }

        return unsynced;
    }

    /// <summary>
    /// Makes segments and their names durable, on any thread, and closes what was erased. A segment for which that fails has to be retired.
    /// </summary>
    /// <exception cref="IOException">The operating system could not do it.</exception>
    public void Sync(IReadOnlyList<UnsyncedSegment> segments)
    {
        _segments.CloseErased();
        foreach (var (segment, isSealed) in segments)
        {
            segment.Sync(isSealed);
        }

        _directory.SyncFolder(_directory.StoreOf(_superblock.Identity.StoreId));
    }

    /// <param name="batch">The mutations.</param>
    /// <param name="writtenCount">How many have been written, and then the same.</param>
    /// <param name="clearedIn">The segment in which the last clear is.</param>
    private void AppendFrom(IReadOnlyList<Mutation> batch, ref int writtenCount, ref long clearedIn)
    {
        for (int i = writtenCount; i < batch.Count; i++)
        {
            var mutation = batch[i];
            _settings.Codec.Encode(mutation);
            bool hasRoom = _writer.HasRoom(mutation.RecordBytes);
            if (!hasRoom)
            {
                _writer.WriteRun();
                writtenCount = i;
                hasRoom = TryRoll(mutation);
            }

            MarkSegment();
            if (hasRoom && mutation.Stored != StoredValue.Refused)
            {
                _writer.Add(mutation);
            }
            else
            {
                HasRefused |= !hasRoom;
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

    private void CheckActive()
    {
        try
        {
            _directory.OpenToRead(_directory.SegmentOf(_superblock.Identity.StoreId, _writer.Mark.Segment)).Dispose();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StoreGoneException("A segment was removed.");
        }
    }

    private StoreState StateAs(bool isClean) => new(_writer.Mark, IsMarkFinal: !_writer.HasActive, isClean, _trust.IsSuspect);

    /// <summary>
    /// Goes on to the next segment. As a rule the spare is there and costs no bytes, and what has to go is reclaimed afterwards, with
    /// a new segment at hand for what is worth keeping.
    /// </summary>
    private void Roll(long recordBytes)
    {
        // Files are renamed and erased from here on: not in a store that another process has taken over.
        _superblock.CheckIdentity();
        MarkActive();
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

    /// <summary>The same, where it has failed when the segment was begun, for who is about to bring something along to it.</summary>
    private void MarkActive()
    {
        if (_writer.HasActive)
        {
            MarkSegment();
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
}

/// <summary>A segment that may not be durable yet, and whether nothing more will be written to it.</summary>
internal readonly record struct UnsyncedSegment(SegmentFile Segment, bool IsSealed);
