using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// The beginning and the end of the store: opening, publication and closing. All of it runs on the writer lane.
/// </content>
internal sealed partial class DiskTier
{
    /// <summary>At this try what the disk does not give is given up: one bad sector must not keep a cache from its disk for ever.</summary>
    private const int LastOpenTry = 3;

    private int _endedLanes;

    // Only on the writer lane: in how many openings in a row the disk has not given what it had to.
    private int _unreadableCount;

    // Only on the writer lane: what has been logged of an opening that fails, so that another trouble is logged too, and the same one once.
    private (Type Type, int Code)? _toldTrouble;

    // Only on the writer lane: whether there may be files of stores that were given up, and whether the last try to erase one failed.
    private bool _hasOtherStores;
    private bool _isErasingInVain;

    private void OpenStore()
    {
        try
        {
            TryOpenStore();
        }
        finally
        {
            _opening.TrySetResult();
        }
    }

    private void TryOpenStore()
    {
        SegmentStore store;
        using var activity = _metrics.Activities.Open();
        using var timing = _metrics.Time("an opening");
        try
        {
            bool isLastTry = _unreadableCount + 1 >= LastOpenTry;
            store = SegmentStore.Open(_directory, _settings, _clock, _quarantine, _trust, _listener, isLastTry);
        }
        catch (Exception exception)
        {
            activity.Failed(exception);
            timing?.Failed(exception);

            // It may have been opened so far that it counted as this process's.
            _trust.Disown();
            _directory.Unlock();
            Elsewhere(_trust.WithdrawAgain);
            _isWaitingForLock = exception is StoreInUseException;
            string id = NextFaultId();
            _unreadableCount = exception is UnreadableException ? _unreadableCount + 1 : 0;
            if (!_isWaitingForLock)
            {
                _metrics.CountDiskErrors(1);
            }

            _health.Unavailable(Describe(id, exception));
            var trouble = (exception.GetType(), exception.HResult);
            if (_toldTrouble != trouble)
            {
                _toldTrouble = trouble;
                Log.StoreUnavailable(_logger, exception, _directory.Path, id);
            }

            return;
        }

        // From here on the store is in use: nothing that fails may let go of its lock.
        activity.HasOpened(store.Report.IsNew, store.Report.Entries, store.Report.Holes, store.Report.Scanned);
        _isWaitingForLock = false;
        _toldTrouble = null;
        Publish(store);
        _health.Opened();
        foreach (var entry in store.Retained)
        {
            ReadLate?.Invoke(entry);
        }

        // Memory has them: what is overwritten or removed there must not be held here.
        store.Retained = [];
        if (store.HasLostRetained)
        {
            Log.RetainedLost(_logger);
        }

        TryOnDisk("fitting what was recovered", recovered => recovered.FitRecovered());
        _opened.TrySetResult();
        _hasOtherStores = true;
        PostOnLane(EraseOtherStores);
        PostOnLane(TryTrust);
        Announce(store.Report);
    }

    /// <summary>Lets the store be seen.</summary>
    private void Publish(SegmentStore store)
    {
        lock (_startingLock)
        {
            long by = store.FirstSequence;
            var waiting = _barriers;
            waiting.Renumber(by);
            waiting.MergeInto(store.Barriers);
            _barriers = store.Barriers;

            // Removals last: one that another has joined stands before values that it removes. All of it compares numbers, so this is
            // order enough.
            if (_isGivenUp)
            {
                // What was to cover it is gone. The new store is begun with the first write.
                store.Index.Clear(long.MaxValue);
            }

            var numbered = new HashSet<CacheEntry>(ReferenceEqualityComparer.Instance);
            _writer.ForEachWaiting(mutation => Renumber(mutation, by, store, numbered));

            // What was given up waits no more, and may be written back: every session begins with the same numbers.
            Renumbering?.Invoke(entry => Renumber(entry, by, numbered));
            _writer.ForEachWaiting(mutation => ApplyUnlessValue(mutation, store));
            _sequence += by;
            _renumberedBy = by;
            _store = store;
        }
    }

    private static void Renumber(Mutation mutation, long by, SegmentStore store, HashSet<CacheEntry> numbered)
    {
        mutation.Sequence += by;
        if (mutation.Entry is { } entry)
        {
            Renumber(entry, by, numbered);
        }

        ApplyIfValue(mutation, store);
    }

    private static void Renumber(CacheEntry entry, long by, HashSet<CacheEntry> numbered)
    {
        if (numbered.Add(entry))
        {
            entry.Number(entry.Sequence + by, entry.Ticket + by);
        }
    }

    private static void ApplyIfValue(Mutation mutation, SegmentStore store)
    {
        if (mutation.Kind == RecordKind.Value)
        {
            Apply(mutation, store);
        }
    }

    private static void ApplyUnlessValue(Mutation mutation, SegmentStore store)
    {
        if (mutation.Kind != RecordKind.Value)
        {
            Apply(mutation, store);
        }
    }

    private void Announce(OpenReport report)
    {
        if (report.IsNew)
        {
            Log.StoreBegun(_logger, _directory.Path, report.Trust);
        }
        else
        {
            Log.StoreOpened(_logger, _directory.Path, report.Entries, report.Trust, report.Holes, report.Scanned);
        }
    }

    /// <summary>
    /// A file at a time, between batches. What cannot be erased is no fault of the disk that the store is on, which goes on without: it is told once, and
    /// tried again with each heartbeat.
    /// </summary>
    private void EraseOtherStores()
    {
        const string What = "erasing an old store";
        if (!_hasOtherStores || _isDisposing || _isGivenUp || _health.Mode != DiskCacheMode.Normal)
        {
            return;
        }

        using var timing = _metrics.Time(What);
        try
        {
            _hasOtherStores = _store!.EraseOtherStep();
            _isErasingInVain = false;
            if (_hasOtherStores)
            {
                PostOnLane(EraseOtherStores);
            }
        }
        catch (Exception exception)
        {
            timing?.Failed(exception);
            if (exception is StoreGoneException)
            {
                CountFault(exception, What);
            }
            else if (!_isErasingInVain)
            {
                _isErasingInVain = true;
                _metrics.CountDiskErrors(1);
                Log.OperationFailed(_logger, exception, What, NextFaultId());
            }
        }
    }

    /// <summary>On the lane, when nothing more comes: touches that are in memory only, then the clean flag, last.</summary>
    private void CloseStore()
    {
        using var activity = _metrics.Activities.Close();
        try
        {
            if (_store is { } store && TryClose(store))
            {
                Log.StoreClosed(_logger);
            }
        }
        catch (Exception exception)
        {
            activity.Failed(exception);
            if (exception is StoreGoneException)
            {
                LoseStore();
            }

            string id = NextFaultId();
            _metrics.CountDiskErrors(1);
            _health.Failed(Describe(id, exception), isHard: false);
            Log.CloseFailed(_logger, exception, id);
        }
        finally
        {
            LeaveWord();
            _trusting?.TrySetResult();
            _store?.Dispose();
            LaneEnded();
        }
    }

    /// <summary>
    /// The touches, the close itself, and what is written again for it may begin a segment and reclaim another, and with it something that is retained: that is
    /// written again first. Where it cannot be, the store is left as one that owes.
    /// </summary>
    private bool TryClose(SegmentStore store)
    {
        const int MaxTries = 3;
        TryWriteRetained();
        if (_writer.QueuedCount > 0 || _isGivenUp)
        {
            return false;
        }

        store.CheckIdentity();
        WriteTouches(store);
        for (int tries = 0; tries < MaxTries && !_isGivenUp; tries++)
        {
            TryWriteRetained();
            if (_owesRetained)
            {
                continue;
            }

            _trust.Reset();
            if (store.TryClose())
            {
                return true;
            }

            if (!_owesRetained)
            {
                // Somebody else has taken the trust back, and not for something that could be written here.
                return false;
            }
        }

        return false;
    }

    /// <summary>No heartbeat follows: what is owed is said here once more, in case that it could not be told before.</summary>
    private void LeaveWord()
    {
        if (_isGivenUp)
        {
            _trust.WithdrawAgain();
        }
        else if (_trust.IsSuspect)
        {
            TryOnDisk("the last heartbeat", store => store.Heartbeat());
        }
    }

    /// <summary>
    /// The lock is held until the last operation of the last lane has returned: what is still under way may be a write, and must not
    /// land in the store of another process.
    /// </summary>
    private void LaneEnded()
    {
        const int LaneCount = 1 + ReadLanes.LaneCount + 1; // writer, readers, sync
        if (Interlocked.Increment(ref _endedLanes) == LaneCount)
        {
            _directory.Dispose();
        }
    }

    private void WriteTouches(SegmentStore store)
    {
        var touches = store.Index.Where(entry => entry is { WasTouched: true, IsPending: false }).Select(entry =>
            new Mutation(RecordKind.Touch)
            {
                KeyHash = entry.KeyHash,
                Extended = entry.Sequence,
                Deadline = entry.Deadline,
                Sequence = Interlocked.Increment(ref _sequence),
            });
        foreach (var batch in touches.Chunk(1000).ToList())
        {
            store.Append(batch);
        }
    }
}
