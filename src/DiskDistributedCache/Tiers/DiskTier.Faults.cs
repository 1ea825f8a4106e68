using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Health;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tiers;

/// <content>
/// The operations on the disk, and what becomes of those that fail: told to the breaker and to the health, each once. All of it runs on
/// the lanes, but for the watchdog's look at what takes too long.
/// </content>
internal sealed partial class DiskTier
{
    private static readonly TimeSpan s_hangTime = TimeSpan.FromSeconds(5);

    private long _faultCount;
    private bool _isShortOfSpace;
    private volatile DiskOperation? _writing;

    // On the writer lane: recovery, and closing, do not ask the breaker.
    private bool _isRecovering;
    private volatile bool _isDisposing;

    private bool TryAppend(IReadOnlyList<Mutation> batch) => TryOnDisk("a write", mayStartOver: true, action: store =>
    {
        if (_isGivenUp)
        {
            StartOver(store);
        }

        store.Append(batch);
        NoteRefused(store);
        foreach (var mutation in batch)
        {
            if (mutation.Entry is { } entry)
            {
                Written?.Invoke(entry);
            }
        }

        SyncOnLane(store, all: false, done: null);
        if (_trust.IsSuspect)
        {
            PostOnLane(TryTrust);
        }
    });

    /// <summary>What was refused is in memory, and is tried again once a probe has found room.</summary>
    private void NoteRefused(SegmentStore store)
    {
        if (store.HasRefused)
        {
            _wasShortOfSpace = _owesWriteBack = true;
        }
    }

    private ReadResult? Read(PendingRead read)
    {
        if (_store is not { } store || !MayAsk || _breaker.TryBegin() is not { } operation)
        {
            return null;
        }

        read.Operation = operation;
        using var timing = _metrics.Time("a read");
        try
        {
            if (read.Key is not { } key)
            {
                var head = store.ReadHead(read.Where);
                operation.Succeed();
                return new ReadResult(head is null ? ReadOutcome.Miss : ReadOutcome.Hit, null, head);
            }

            var outcome = store.Read(key, read.Where, out var entry, read);
            if (outcome != ReadOutcome.Corrupt)
            {
                operation.Succeed();
                return outcome == ReadOutcome.KeysUnavailable ? null : new ReadResult(outcome, entry);
            }

            operation.Corrupt(read.Where.Slot);
            if (store.HasDamagedSegment)
            {
                PostOnLane(() => TryOnDisk("retiring a segment", RetireDamaged), JobTime.Long);
            }

            return new ReadResult(outcome, entry);
        }
        catch (Exception exception)
        {
            timing?.Failed(exception);
            Fail(operation, exception, "a read");
            return null;
        }
    }

    /// <summary>
    /// Does something to the store on the writer lane, if the breaker lets it through. False when it does not, or it failed; and where
    /// the store is given up, but for what begins a new one.
    /// </summary>
    private bool TryOnDisk(string what, Action<SegmentStore> action, bool mayStartOver = false)
    {
        if (_store is not { } store || (_isGivenUp && !mayStartOver))
        {
            return false;
        }

        bool isForced = _isRecovering || _isDisposing;
        var operation = isForced || !MayAsk ? null : _breaker.TryBegin();
        if (operation is null && !isForced)
        {
            return false;
        }

        _writing = operation;
        using var timing = _metrics.Time(what);
        try
        {
            action(store);
            operation?.Succeed();
            EndShortage(what);
            return true;
        }
        catch (Exception exception)
        {
            timing?.Failed(exception);
            Fail(operation, exception, what);
            return false;
        }
        finally
        {
            _writing = null;
        }
    }

    private void RetireDamaged(SegmentStore store)
    {
        if (store.RetireDamaged() is var retired and > 0)
        {
            Log.SegmentsRetired(_logger, retired);
        }
    }

    /// <summary>Only what appends says that there is room: a heartbeat writes where it has written before.</summary>
    private void EndShortage(string what)
    {
        if (_isShortOfSpace && what is "a write" or "a probe" or "writing back")
        {
            _isShortOfSpace = false;
            Log.DiskHasRoom(_logger);
        }
    }

    /// <summary>An operation failed. Where it has been reported as stalled before, that was the failure.</summary>
    private void Fail(DiskOperation? operation, Exception exception, string what)
    {
        var kind = Faults.KindOf(exception);
        if (kind == FaultKind.Full)
        {
            operation?.Succeed();
            _wasShortOfSpace = _owesWriteBack = true;
            if (!_isShortOfSpace)
            {
                _isShortOfSpace = true;
                Log.DiskFull(_logger);
            }

            return;
        }

        string id = NextFaultId();
        if (operation is not null && !operation.Fail(exception, Describe(id, exception)))
        {
            if (exception is StoreGoneException)
            {
                LoseStore();
                _health.GiveUp(exception.Message);
            }

            return;
        }

        CountFault(exception, what, id);
    }

    private void CountFault(Exception exception, string what) => CountFault(exception, what, NextFaultId());

    /// <summary>Counts a fault and logs it under its number.</summary>
    private void CountFault(Exception exception, string what, string id)
    {
        _metrics.CountDiskErrors(1);
        if (exception is StoreGoneException)
        {
            LoseStore();
        }

        _health.Failed(Describe(id, exception), Faults.KindOf(exception) == FaultKind.Hard);
        switch (what)
        {
            case "a write":
                Log.WriteFailed(_logger, exception, id);
                break;
            case "a read":
                Log.ReadFailed(_logger, exception, id);
                break;
            case "a heartbeat":
                Log.HeartbeatFailed(_logger, exception, id);
                break;
            default:
                Log.OperationFailed(_logger, exception, what, id);
                break;
        }
    }

    /// <summary>
    /// Whoever has the store now knows nothing of what this process owes, nor of what it has written since. Nothing is written to it
    /// any more.
    /// </summary>
    private void LoseStore()
    {
        _isGivenUp = true;
        _trust.Disown();
        _writer.Distrust();
    }

    /// <summary>Something failed on the disk that the store goes on without.</summary>
    public void Note(Exception exception) => CountFault(exception, "an operation");

    private static string Describe(string id, Exception exception) => $"{exception.GetType().Name}: {exception.Message} (fault {id})";

    private string NextFaultId() =>
        Interlocked.Increment(ref _faultCount).ToString("d6", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>On the watchdog: lets callers go, and notes operations that take too long. Answers when there is more to look after.</summary>
    private TimeSpan? LookAfter()
    {
        long? since = _writer.ReleaseOverdue();
        _readers.ReleaseOverdue();
        if (since is { } began)
        {
            // Unless it has returned meanwhile, and the next one begun.
            var writing = _writing;
            writing = _writer.IsStillAt(began) ? writing : null;
            Elsewhere(() => Stalled(writing, "a write", () => _writer.IsStillAt(began)));
        }

        foreach (var read in _readers.TakeStalled())
        {
            Elsewhere(() => Stalled((DiskOperation?)read.Operation, "a read", () => _readers.IsStillAt(read)));
        }

        return LaneTimes.Sooner(_writer.DueIn, _readers.DueIn);
    }

    /// <summary>A stall is a failure; one that does not end makes the cache give the disk up.</summary>
    private void Stalled(DiskOperation? operation, string what, Func<bool> isStill)
    {
        string id = NextFaultId();
        Log.OperationStalled(_logger, what, id);
        var timeout = new TimeoutException($"The disk has not answered {what} in time.");
        operation?.Fail(timeout, Describe(id, timeout));
        _metrics.CountDiskErrors(1);
        _health.Failed(Describe(id, timeout), isHard: false);

        ITimer? timer = null;
        timer = _timeProvider.CreateTimer(_ => CheckHang(), null, s_hangTime, Timeout.InfiniteTimeSpan);

        void CheckHang()
        {
            timer?.Dispose();
            if (isStill())
            {
                _health.GiveUp($"The disk has not answered {what} for {s_hangTime.TotalSeconds:0} s (fault {id}).");
            }
        }
    }

    private void OnBreakerChanged(BreakerState state, string? reason)
    {
        if (state == BreakerState.Open)
        {
            _health.BreakerOpened(reason);
        }
        else if (state == BreakerState.Closed)
        {
            _health.BreakerClosed();
        }
    }

    /// <summary>Told under the lock of the health: only takes short locks.</summary>
    private void OnModeChanged(DiskCacheMode before, DiskCacheMode mode)
    {
        if (mode == DiskCacheMode.Normal)
        {
            _writer.Resume();
            _watchdog.Arm();
        }
        else if (mode != DiskCacheMode.Closed)
        {
            _writer.Pause();
        }
    }

    private void PostOnLane(Action job, JobTime time = JobTime.Short)
    {
        _writer.Post(job, time);
        _watchdog.Arm();
    }

    /// <summary>What may meet code of others (loggers, listeners) must not keep the watchdog, or whoever holds a lock.</summary>
    public static void Elsewhere(Action action) => ThreadPool.UnsafeQueueUserWorkItem(
        static action =>
        {
            try
            {
                action();
            }
            catch (Exception)
            {
                // A listener of others failed; nobody here depends on it.
            }
        },
        action,
        preferLocal: false);
}
