using System.Diagnostics;

namespace DiskDistributedCache.Storage;

/// <content>
/// What the thread of the lane does: a job or a batch at a time. After a job a batch comes first, so that jobs which post jobs do not
/// keep callers waiting.
/// </content>
internal sealed partial class WriteLane
{
    private const int SpinCount = 40;

    /// <summary>
    /// On the lane, in a job: writes what waits at this moment, though the lane is paused. What comes meanwhile waits for its turn, or
    /// this would never end. False when it failed.
    /// </summary>
    public bool WriteWaiting()
    {
        var limit = _busyLimit;
        bool isWritten = true;
        for (int left = QueuedCount; left > 0 && isWritten && TakeBatch(out int taken); left -= taken)
        {
            isWritten = WriteBatch();
        }

        lock (_lock)
        {
            // The job goes on, and is looked after again.
            Begin(limit);
        }

        return isWritten;
    }

    /// <summary>On the lane, in a job: it has got on, and may take its time once more.</summary>
    public void GoOn()
    {
        lock (_lock)
        {
            Begin(_busyLimit);
        }
    }

    private void Run()
    {
        while (Next(out var job))
        {
            if (job is null)
            {
                WriteBatch();
            }
            else
            {
                RunJob(job);
            }
        }

        _finish();
    }

    /// <summary>Waits for a job or a batch. False when the lane is stopped and nothing is left that can be done.</summary>
    private bool Next(out Action? job)
    {
        SpinForWork();
        lock (_lock)
        {
            while (_jobs.Count == 0 && !CanWrite && !_isStopping)
            {
                _isSleeping = true;
                Monitor.Wait(_lock);
                _isSleeping = false;
            }

            Job next = default;
            if ((_wasJob || _jobs.Count == 0) && CanWrite)
            {
                Begin(_times.LimitFor(_queue.Take(_batch, BatchBytes)));
            }
            else if (_jobs.TryDequeue(out next))
            {
                Begin(LimitOf(next.Time));
            }
            else
            {
                _hasEnded = true;
            }

            job = next.Run;
            _wasJob = job is not null;
            _hasWork = _jobs.Count > 0 || CanWrite || _isStopping;
            return !_hasEnded;
        }
    }

    private TimeSpan LimitOf(JobTime time) => time switch
    {
        JobTime.Short => _times.LimitFor(0),
        JobTime.Long => _times.MaxLimit,
        _ => Timeout.InfiniteTimeSpan,
    };

    private bool TakeBatch(out int taken)
    {
        lock (_lock)
        {
            taken = 0;
            if (_queue.Count == 0)
            {
                return false;
            }

            Begin(_times.LimitFor(_queue.Take(_batch, BatchBytes)));
            taken = _batch.Count;
            return true;
        }
    }

    private void Begin(TimeSpan limit) => (_busySince, _busyLimit, _isStallReported) = (Stopwatch.GetTimestamp(), limit, false);

    private void RunJob(Action job)
    {
        try
        {
            job();
        }
        catch (Exception)
        {
            // Jobs handle their own trouble. What still gets here (a logger that throws, say) must not end the process.
        }

        lock (_lock)
        {
            _busySince = 0;
        }
    }

    private bool WriteBatch()
    {
        bool isWritten = TryAppend();
        bool isDue = false;
        lock (_lock)
        {
            _busySince = 0;
            _hasFailed = !isWritten;
            if (isWritten)
            {
                foreach (var mutation in _batch)
                {
                    mutation.TrySetResult();
                }

                _due.RemoveAll(mutation => mutation.IsAcknowledged);
            }
            else
            {
                isDue = OweWhere(_ => true);
                _mustBeDurable = true;
                _queue.PutBack(_batch);
            }

            _batch.Clear();
        }

        AfterOwing(isDue);

        return isWritten;
    }

    private bool TryAppend()
    {
        try
        {
            return _append(_batch);
        }
        catch (Exception)
        {
            // As for jobs.
            return false;
        }
    }

    /// <summary>A single caller that awaits each write comes back within microseconds; waking a sleeping thread costs more than that.</summary>
    private void SpinForWork()
    {
        for (int i = 0; i < SpinCount && !_hasWork; i++)
        {
            Thread.SpinWait(20);
        }
    }

    private readonly record struct Job(Action Run, JobTime Time);
}

/// <summary>How long a job may take before the disk counts as stalled.</summary>
internal enum JobTime
{
    /// <summary>As long as any operation on few bytes.</summary>
    Short = 0,

    /// <summary>As long as anything that a healthy disk does in one go.</summary>
    Long = 1,

    /// <summary>It depends on how much there is: opening, recovering.</summary>
    Endless = 2,
}
