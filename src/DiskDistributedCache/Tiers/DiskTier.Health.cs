using System.Diagnostics;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Health;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// What the monitor repeats: heartbeat, probe and recovery; and what makes a store that owed something trusted again. All of it
/// runs on the writer lane.
///
/// Order of effects of a recovery: the store is still this process's, or is begun anew; a probe; what is owed; what memory holds
/// and the disk does not; what became owed meanwhile; normal mode. Trust comes back later: when nothing is owed, everything is synced
/// if the disk had refused anything, and nothing became owed during that.
/// </content>
internal sealed partial class DiskTier
{
    private const int WriteBackBytes = 1 << 20;

    /// <summary>Where everything is late, taking the trust back and giving it again would be all that the lane does.</summary>
    private static readonly TimeSpan s_lateTrustPause = TimeSpan.FromSeconds(1);

    // Only on the writer lane.
    private TaskCompletionSource? _trusting;
    private long _lateTrust;
    private bool _isWaitingForLock;
    private bool _owesRetained;
    private bool _isWritingFromMemory;
    private bool _wasShortOfSpace;

    // Changed while the lane's queue is locked.
    private int _giveUps;

    // Raised by anyone.
    private int _suspectNotes;

    // Set by anyone: memory may have values that the disk has not and that nobody waits for.
    private volatile bool _owesWriteBack;

    // What is on disk is given up; a new store has to be begun before anything is written.
    private volatile bool _isGivenUp;

    /// <summary>One heartbeat, as the monitor makes it.</summary>
    public Task HeartbeatOnceAsync() => OnceAsync(Heartbeat);

    /// <summary>One probe, as the monitor makes it.</summary>
    public Task ProbeOnceAsync() => OnceAsync(Probe);

    /// <summary>One attempt to recover, as the monitor makes it.</summary>
    public Task RecoverOnceAsync() => OnceAsync(Recover);

    /// <summary>One attempt to trust the store again, if it is suspect; also right after the one before.</summary>
    public async Task TrustOnceAsync()
    {
        Task? trusting = null;
        await OnceAsync(() =>
        {
            TryTrust(isAsked: true);
            trusting = _trusting?.Task;
        }).ConfigureAwait(false);
        await (trusting ?? Task.CompletedTask).ConfigureAwait(false);
    }

    /// <summary>
    /// On the writer lane, during a recovery: writes entries that memory holds and the index does not know, under their old numbers.
    /// </summary>
    /// <param name="entries">What memory holds.</param>
    /// <param name="tryPend">
    /// Makes an entry the pending version of its key in the index, under the lock of the key, if it is still what memory holds.
    /// </param>
    public void WriteBack(IEnumerable<CacheEntry> entries, Func<CacheEntry, bool> tryPend)
    {
        var batch = new List<Mutation>();
        long bytes = 0;
        foreach (var entry in entries)
        {
            if (tryPend(entry))
            {
                var mutation = Mutation.Again(entry);
                (mutation.Sequence, mutation.KeyHash) = (entry.Sequence, _store!.HashOf(entry.Key));
                _settings.Codec.Encode(mutation);
                if (mutation.Stored == StoredValue.Refused)
                {
                    // It stays in memory, and is tried again.
                    if (entry.IsRetained)
                    {
                        WriteRetainedAgain();
                    }

                    _store.Index.RemoveIfSame(mutation.KeyHash, mutation.Sequence, EntryIndex.PendingSlot);
                    if (_settings.Codec.IsPaused)
                    {
                        // Nor will the next one be taken.
                        break;
                    }

                    continue;
                }

                batch.Add(mutation);
                bytes += mutation.RecordBytes;
            }
            else if (entry.IsRetained && _store!.Index.TryGet(_store.HashOf(entry.Key), out var where) && where.IsPending)
            {
                // A newer one has been accepted, and the log has neither.
                _owesRetained = true;
            }

            if (bytes >= WriteBackBytes)
            {
                AppendPending(batch);
                batch.Clear();
                bytes = 0;
            }
        }

        AppendPending(batch);
    }

    private void AppendPending(List<Mutation> batch)
    {
        try
        {
            _writer.GoOn();
            _store!.Append(batch);
            NoteRefused(_store);
        }
        catch
        {
            // Nothing waits for them any more: the next try has to find them unknown.
            batch.ForEach(mutation => _store!.Index.RemoveIfSame(mutation.KeyHash, mutation.Sequence, EntryIndex.PendingSlot));
            throw;
        }
    }

    /// <summary>Makes an entry the pending version of its key, if the index knows none.</summary>
    public bool TryPend(CacheEntry entry)
    {
        ulong keyHash = _store!.HashOf(entry.Key);
        return !_store.Index.TryGet(keyHash, out _) && _store.Index.SetPending(keyHash, entry.Sequence, entry.Deadline, entry.IsRetained);
    }

    private void StartMonitor()
    {
        Repeat(_heartbeatInterval, Heartbeat, JobTime.Short);
        Repeat(_healthCheckInterval, Probe, JobTime.Short);
        Repeat(_recoveryInterval, Recover, JobTime.Endless);
    }

    private void Repeat(TimeSpan interval, Action step, JobTime time) =>
        _monitor.Repeat(_timeProvider, interval, done => PostStep(step, done, time));

    private Task OnceAsync(Action step)
    {
        var once = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        PostStep(step, once.SetResult, JobTime.Endless);
        return once.Task;
    }

    private void PostStep(Action step, Action done, JobTime time) => PostOnLane(
        () =>
        {
            try
            {
                step();
            }
            finally
            {
                done();
            }
        },
        time);

    /// <summary>Another try for what is not open or owed, and the mark of an open store. While the circuit is open it may be the trial.</summary>
    private void Heartbeat()
    {
        _trust.WithdrawMissing();
        if (_isWaitingForLock)
        {
            PostOnLane(Recover, JobTime.Endless);
        }
        else if (_isGivenUp)
        {
            PostOnLane(() => TryOnDisk("starting over", StartOver, mayStartOver: true), JobTime.Long);
        }
        else if (TryOnDisk("a heartbeat", store => store.Heartbeat()))
        {
            _writer.Retry();
            TryTrust();
            if (_settings.Codec.TakeRefused())
            {
                // What was set while its keys were away is in memory only.
                _owesWriteBack = true;
            }

            PostWriteBack();
            EraseOtherStores();
        }
    }

    private void Probe()
    {
        if (_store is null || _isGivenUp || !MayAsk)
        {
            return;
        }

        var found = DiskHealthState.Unhealthy;
        if (TryOnDisk("a probe", store => found = ProbeStore(store)))
        {
            PostWriteBack();
        }

        _health.Probed(_isShortOfSpace ? DiskHealthState.Degraded : found);
    }

    private DiskHealthState ProbeStore(SegmentStore store)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        store.CheckIdentity();
        store.ShrinkToFit();
        bool isRight = store.Probe(Interlocked.Increment(ref _sequence), Interlocked.Increment(ref _sequence));
        bool isSlow = System.Diagnostics.Stopwatch.GetElapsedTime(began) > IoTimeout;
        _wasShortOfSpace = store.IsShortOfSpace;
        if (_wasShortOfSpace)
        {
            // What is set while there is no room is in memory only.
            _owesWriteBack = true;
        }

        return isRight && !isSlow && !_wasShortOfSpace ? DiskHealthState.Healthy : DiskHealthState.Degraded;
    }

    private void Recover()
    {
        if (_health.Mode != DiskCacheMode.MemoryOnly)
        {
            return;
        }

        if (_store is not { } store)
        {
            OpenStore();
            return;
        }

        if (_isWaitingForLock && !CanHoldLock())
        {
            return;
        }

        if (!_health.TryBeginRecovery())
        {
            return;
        }

        _isRecovering = true;
        using var activity = _metrics.Activities.Recover();
        try
        {
            BringBack(store);
            _isWaitingForLock = false;
            _breaker.Close();
            _health.Recovered();
            PostOnLane(TryTrust);
            PostOnLane(EraseOtherStores);
        }
        catch (Exception exception)
        {
            activity.Failed(exception);
            string id = NextFaultId();
            _isWaitingForLock = exception is StoreInUseException;
            _metrics.CountDiskErrors(1);
            _health.RecoveryFailed(Describe(id, exception));
            Log.OperationFailed(_logger, exception, "a recovery", id);
        }
        finally
        {
            _isRecovering = false;
        }
    }

    private void BringBack(SegmentStore store)
    {
        if (_readers.IsHanging)
        {
            throw new IOException("A read has still not returned.");
        }

        if (_isGivenUp || !IsStillOurs(store))
        {
            LoseStore();
            StartOver(store);
        }

        var found = ProbeStore(store);
        _health.Probed(found);
        if (found == DiskHealthState.Degraded && !store.Probe(Interlocked.Increment(ref _sequence), Interlocked.Increment(ref _sequence)))
        {
            throw new IOException("What was read back is not what was written.");
        }

        // Else the syncs that failed during the outage would be met, and counted, again.
        RetireDamaged(store);
        WriteWaiting();
        WriteFromMemory(retainedOnly: false);
        WriteWaiting();
    }

    /// <summary>Where there is something to write back, and room. It is owed until all of it is written: whatever fails is tried again with the next heartbeat.</summary>
    private void PostWriteBack()
    {
        if (_owesWriteBack && !_wasShortOfSpace)
        {
            PostOnLane(WriteBackWhenDrained, JobTime.Long);
        }
    }

    /// <summary>First what waits: among it are the removals that values left which were given up, under the numbers of those values.</summary>
    private void WriteBackWhenDrained()
    {
        if (_health.Mode == DiskCacheMode.Normal && _writer.WriteWaiting())
        {
            TryOnDisk("writing back", _ => WriteFromMemory(retainedOnly: false));
        }
    }

    /// <summary>
    /// On the writer lane: something that is retained is in memory only, and what is on disk must not be believed without it. Before its
    /// segment goes.
    /// </summary>
    public void WriteRetainedAgain()
    {
        _owesRetained = true;
        _writer.DistrustNow();
        if (!_isWritingFromMemory)
        {
            // Else it has just been tried, and is tried again with the next heartbeat.
            PostOnLane(TryWriteRetained, JobTime.Long);
        }
    }

    private void TryWriteRetained()
    {
        if (_owesRetained)
        {
            TryOnDisk("writing what is retained", _ => WriteFromMemory(retainedOnly: true));
        }
    }

    /// <summary>
    /// Writes what memory has and the disk has not. What is retained is owed until all of it is written, and so is a clear that stands in the place of
    /// something that was.
    /// </summary>
    private void WriteFromMemory(bool retainedOnly)
    {
        bool owed = _owesRetained;
        (_owesRetained, _isWritingFromMemory) = (false, true);
        if (!retainedOnly)
        {
            _owesWriteBack = false;
        }

        try
        {
            MemoryWanted?.Invoke(retainedOnly);
            _owesRetained |= _store is { HasUnloggedClear: true };
        }
        catch
        {
            _owesRetained |= owed;
            if (!retainedOnly)
            {
                _owesWriteBack = true;
            }

            throw;
        }
        finally
        {
            _isWritingFromMemory = false;
        }
    }

    private void WriteWaiting()
    {
        if (!_writer.WriteWaiting())
        {
            throw new IOException("What is owed could not be written.");
        }
    }

    private bool CanHoldLock()
    {
        try
        {
            return _directory.TryHoldLock();
        }
        catch (Exception)
        {
            // The recovery meets it again and says so.
            return true;
        }
    }

    private static bool IsStillOurs(SegmentStore store)
    {
        try
        {
            store.Heartbeat();
            return true;
        }
        catch (Exception exception) when (exception is StoreGoneException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>
    /// Begins a new store in place of what is on disk. What memory holds is written to it afterwards.
    /// </summary>
    private void StartOver(SegmentStore store)
    {
        int seen = Volatile.Read(ref _giveUps);
        _isGivenUp = true;
        WriteRetainedAgain();
        store.StartOver();
        _writer.Exclusively(() => _isGivenUp = seen != _giveUps);

        // What waits to be written has no entry in the index any more: memory says what is current, and the rest becomes removals.
        (_owesWriteBack, _hasOtherStores) = (true, true);
        PostOnLane(WriteBackWhenDrained, JobTime.Long);
        PostOnLane(EraseOtherStores);
        Log.StartedOver(_logger, _directory.Path);
    }

    /// <summary>Too much is owed to be kept: what is on disk is given up instead of the truth. Memory keeps what it has.</summary>
    private void GiveUpOwed()
    {
        bool isDropped = _writer.TryDropAll(() =>
        {
            // Counted: the lane may just be starting over, with less than what is dropped here.
            _giveUps++;
            _isGivenUp = true;
        });
        if (!isDropped)
        {
            // The cache is being closed, and the last of it is written.
            return;
        }

        // Elsewhere: a caller is here, and has locks. The index stays until the store is begun anew: it knows of all that was accepted.
        Elsewhere(() =>
        {
            _listener.ContentGivenUp();
            Log.OwedOverflow(_logger, MaxOwedCount);
        });
        PostOnLane(() =>
        {
            if (_isGivenUp && _health.Mode == DiskCacheMode.Normal)
            {
                TryOnDisk("starting over", StartOver, mayStartOver: true);
            }
        },
        JobTime.Long);
    }

    /// <summary>Syncs segments on the lane for that, and retires those for which it fails.</summary>
    private void SyncOnLane(SegmentStore store, bool all, Action? done)
    {
        var unsynced = store.TakeUnsynced(all);
        if (unsynced.Count == 0 && !all)
        {
            return;
        }

        _sync.Post(() =>
        {
            TrySync(store, unsynced);
            done?.Invoke();
        });
    }

    private bool TrySync(SegmentStore store, IReadOnlyList<UnsyncedSegment> unsynced)
    {
        if (_health.Mode is DiskCacheMode.MemoryOnly or DiskCacheMode.Recovering)
        {
            return false;
        }

        using var timing = _metrics.Time("a sync");
        try
        {
            store.Sync(unsynced);
            return true;
        }
        catch (Exception exception)
        {
            timing?.Failed(exception);
            if (exception is not SyncFailedBeforeException)
            {
                CountFault(exception, "a sync");
            }

            _writer.Distrust();
            PostOnLane(() => TryOnDisk("retiring a segment", RetireDamaged), JobTime.Long);
            return false;
        }
    }

    /// <summary>
    /// Lets the store be trusted again: when nothing is owed, everything is durable if the disk has refused anything, and nothing became owed during
    /// that. Without a sync once a second at the most; each batch and each heartbeat asks.
    /// </summary>
    private void TryTrust() => TryTrust(isAsked: false);

    /// <param name="isAsked">Whether it does not matter when it was done last.</param>
    private void TryTrust(bool isAsked)
    {
        if (_trusting is not null)
        {
            return;
        }

        TryWriteRetained();
        _trust.RestoreMissing();
        if (_store is not { } store || _isGivenUp || _owesRetained || !_trust.IsSuspect
            || !_writer.OwesNothing(out long generation, out bool mustBeDurable))
        {
            return;
        }

        if (!mustBeDurable)
        {
            if (isAsked || _lateTrust == 0 || Stopwatch.GetElapsedTime(_lateTrust) > s_lateTrustPause)
            {
                _lateTrust = Stopwatch.GetTimestamp();
                FinishTrust(isDurable: true, generation);
            }

            return;
        }

        _trusting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var unsynced = store.TakeUnsynced(all: true);
        _sync.Post(() =>
        {
            bool isDurable = TrySync(store, unsynced);
            PostOnLane(() => FinishTrust(isDurable, generation));
        });
    }

    private void FinishTrust(bool isDurable, long generation)
    {
        try
        {
            if (isDurable && !_isGivenUp && !_owesRetained && _writer.TryTrust(generation))
            {
                Trust();
            }
        }
        finally
        {
            _trusting?.TrySetResult();
            _trusting = null;
        }
    }

    /// <summary>Once until the store is trusted again, however often the mark is set.</summary>
    private void NoteSuspect()
    {
        if (Interlocked.Exchange(ref _suspectNotes, 1) == 0)
        {
            Log.Suspect(_logger);
        }
    }

    /// <summary>The proof of health first; then the flag goes from both slots.</summary>
    private void Trust()
    {
        _trust.Restore();
        if (TryOnDisk("a heartbeat", store =>
        {
            store.Heartbeat();
            store.Heartbeat();
        }))
        {
            Volatile.Write(ref _suspectNotes, 0);
            Log.Trusted(_logger);
        }
        else
        {
            // A slot may still bear the flag, which would make the next process begin anew: the next heartbeat does all of it again.
            _writer.Distrust();
        }
    }
}
