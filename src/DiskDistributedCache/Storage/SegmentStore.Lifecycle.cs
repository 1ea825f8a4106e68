using System.Diagnostics.CodeAnalysis;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <content>The beginning and the end of a store: opening, recovery, beginning anew, closing.</content>
internal sealed partial class SegmentStore
{
    /// <summary>Opens the store of a directory, or begins a new one where what is there cannot be trusted.</summary>
    /// <param name="directory">The directory. Its lock is taken, and left to the caller when this throws.</param>
    /// <param name="settings">Limits.</param>
    /// <param name="clock">The clock that deadlines go by.</param>
    /// <param name="quarantine">Where corrupt bytes go.</param>
    /// <param name="trust">What tells the next process whether it may believe the store.</param>
    /// <param name="listener">The tiers above.</param>
    /// <param name="isLastTry">Whether what the disk does not give counts as what does not verify: see <see cref="OpeningReads"/>.</param>
    public static SegmentStore Open(
        CacheDirectory directory,
        StoreSettings settings,
        CacheClock clock,
        Quarantine quarantine,
        TrustMark trust,
        StoreListener listener,
        bool isLastTry = false)
    {
        directory.Prepare();
        directory.Lock();
        quarantine.Load();
        var reads = new OpeningReads(isLastTry, listener);
        var superblock = SuperblockFile.Open(directory, trust, clock, settings.Codec.Protects, reads);
        var store = new SegmentStore(directory, settings, clock, quarantine, trust, listener, superblock);
        try
        {
            store.Begin(reads);
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Gives up everything on disk and goes on with an empty store, in the same directory, which may have been removed or replaced
    /// meanwhile. Numbers and hashes go on as they were. After a throw nothing but this may be called.
    /// </summary>
    public void StartOver()
    {
        _trust.Disown();
        if (!_directory.HoldsLock())
        {
            _directory.Unlock();
            _directory.Prepare();
            _directory.Lock();
        }

        BeginAnew(_writer.Mark.HighestSequence);
    }

    /// <summary>
    /// The values that are retained, as the opening found them, for memory to keep.
    /// </summary>
    public IReadOnlyList<CacheEntry> Retained { get; set; } = [];

    /// <summary>Whether one of them did not verify. The store was begun anew then: nothing that was recovered may be used, nor be found by the next start.</summary>
    public bool HasLostRetained { get; private set; }

    /// <summary>
    /// Makes what was recovered fit the limits, and the disk, as they are now. After memory has what is retained: what has to go may have to be
    /// written again.
    /// </summary>
    public void FitRecovered()
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

    /// <summary>Seals, syncs and marks the store as clean. Without this, or when it throws, the store is one of a killed process.</summary>
    /// <returns>False, and no mark, where meanwhile the store has become one that owes something: what went was in the way, and is in memory only.</returns>
    public bool TryClose()
    {
        CheckIdentity();
        MarkActive();
        if (_writer.HasAbandoned)
        {
            Roll(0);
        }

        Seal();
        SyncEverything();
        _superblock.CheckIdentity();
        if (_trust.IsSuspect)
        {
            return false;
        }

        _superblock.WriteBoth(StateAs(isClean: true));
        _trust.Closed();
        return true;
    }

    /// <summary>Erases what stores that were given up have left, a file at each step, until a step answers false.</summary>
    public bool EraseOtherStep()
    {
        _superblock.CheckIdentity();
        if (_directory.OtherStores(_superblock.Identity.StoreId) is not [var folder, ..])
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
        _superblock.Dispose();
    }

    /// <summary>Goes on with this superblock's store.</summary>
    [MemberNotNull(nameof(_superblock), nameof(_writer), nameof(_reclaim))]
    private void Use(SuperblockFile superblock)
    {
        var storeId = superblock.Identity.StoreId;
        _superblock = superblock;
        _settings.Codec.Use(storeId);
        _writer = new SegmentWriter(_directory, _settings, storeId, _segments, Index, Barriers, _clock, _listener);
        _reclaim = new Reclaim(_directory, _settings, storeId, _segments, Index, Barriers, _writer, _reader, _clock, _listener);
    }

    private void Begin(OpeningReads reads)
    {
        if (_superblock.Found is { } found)
        {
            Recover(found, reads);
        }
        else
        {
            BeginNew();
        }
    }

    private void Recover(Superblock found, OpeningReads reads)
    {
        MakeFolder();
        _clock.AdvanceTo(found.ClockHighWater);
        _directory.Delete(_directory.SpareOf(found.StoreId));
        var recovery = new Recovery(_directory, found.StoreId, _segments, Index, Barriers, _quarantine, reads, _listener);
        var end = recovery.Run(found);
        var retained = recovery.MustBeginAnew ? [] : ReadRetained(recovery.Retained.Distinct(), reads);
        HasLostRetained = retained is null;
        if (recovery.MustBeginAnew || retained is null)
        {
            BeginAnew(end.HighestSequence);
            return;
        }

        _writer.ContinueAfter(end);
        Retained = retained;
        _trust.Vouch(found.SessionId);
        _superblock.WriteBoth(StateAs(isClean: false));
        Own(new OpenReport(false, _superblock.Reason, Index.Count, recovery.HoleCount, recovery.ScannedCount));
    }

    private void BeginNew()
    {
        MakeFolder();

        // The slots first: from here on the old store is not looked at again, whatever happens next.
        var charges = _trust.FindCharges();
        _superblock.WriteBoth(StateAs(isClean: false));
        _trust.Absolve(charges);
        if (_settings.Codec.Protects)
        {
            // What is kept of a store before may be in clear text.
            _quarantine.Empty();
        }

        _trust.Vouch(Guid.Empty);
        Own(new OpenReport(true, _superblock.Reason, 0, 0, 0));
    }

    private void MakeFolder()
    {
        _directory.CreateStore(_superblock.Identity.StoreId);
        _directory.SyncFolder(_directory.Segments);
    }

    private void Own(OpenReport report)
    {
        Report = report;
        _trust.Own();
        FirstSequence = _writer.Mark.HighestSequence + SessionGap;
    }

    private void BeginAnew(long highestSequence)
    {
        Index.Clear(long.MaxValue);
        _segments.Clear();
        _superblock.Dispose();
        _markedSegment = 0;
        Use(SuperblockFile.OpenAnew(_directory, _trust, _clock, _settings.Codec.Protects, _superblock.Identity));

        // The barriers that are known have the numbers of before; what is written from here on has to be above them.
        _writer.ContinueAfter(new LogMark(0, 0, highestSequence));
        BeginNew();
    }

    /// <returns>Null where one of them does not verify, or where the disk does not give one at the last try.</returns>
    /// <exception cref="IOException">They cannot be decrypted at present, or the disk does not give them: the opening has to be tried again.</exception>
    private List<CacheEntry>? ReadRetained(IEnumerable<(ulong KeyHash, long Sequence)> recovered, OpeningReads reads)
    {
        var found = new List<CacheEntry>();
        bool areAllThere = true;
        foreach (var (keyHash, sequence) in recovered)
        {
            if (!Index.TryGet(keyHash, out var where) || where.Sequence != sequence || where.Deadline <= _clock.NowTicks)
            {
                continue;
            }

            // All of them: while keys are away nothing is given up for another one's sake.
            if (ReadRetained(where, reads) is { } entry)
            {
                found.Add(entry);
            }
            else
            {
                areAllThere = false;
            }
        }

        return areAllThere ? found : null;
    }

    private CacheEntry? ReadRetained(IndexedEntry where, OpeningReads reads)
    {
        var outcome = ReadOutcome.Corrupt;
        CacheEntry? entry = null;
        reads.TryRead(() => outcome = _reader.ReadValue(_segments.At(where.Slot)!, where, out entry));
        return outcome == ReadOutcome.KeysUnavailable
            ? throw new IOException("The keys that the store is encrypted with are not available.")
            : entry;
    }

    /// <summary>What the system could not make durable it may also forget while it runs: then nothing vouches for the store.</summary>
    private void SyncEverything()
    {
        try
        {
            Sync(TakeUnsynced(all: true));
            if (_segments.Ordered.Any(segment => segment is { HasSyncFailed: true, IsRetired: false }))
            {
                throw new IOException("The sync of a segment failed, so it is not known what is durable.");
            }
        }
        catch
        {
            _trust.WithdrawNow();
            throw;
        }
    }
}
