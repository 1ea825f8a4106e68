namespace DiskDistributedCache.Health;

/// <summary>
/// The loop that looks after the disk: heartbeat, probe, recovery, each in its own interval by the <see cref="TimeProvider"/>. The hosted
/// service starts it, or, without a host, the first use of the cache.
///
/// A step runs elsewhere (on the writer lane) and says when it is done; only then its next one is due. So steps never pile up, however
/// far a clock jumps or a disk hangs.
/// </summary>
internal sealed class DiskHealthMonitor : IDisposable
{
    // Guards itself.
    private readonly List<ITimer> _timers = [];
    private bool _isDisposed;

    /// <summary>Repeats a step from now on.</summary>
    /// <param name="timeProvider">The clock that the interval goes by.</param>
    /// <param name="interval">From the end of one step to the beginning of the next.</param>
    /// <param name="step">Begins the step and calls what it is given when it is done.</param>
    public void Repeat(TimeProvider timeProvider, TimeSpan interval, Action<Action> step)
    {
        ITimer? timer = null;

        // Without what flows with the caller: the monitor outlives the request in which it was started.
        using (ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow())
        {
            timer = timeProvider.CreateTimer(
                _ => step(() => timer!.Change(interval, Timeout.InfiniteTimeSpan)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        lock (_timers)
        {
            if (_isDisposed)
            {
                timer.Dispose();
                return;
            }

            _timers.Add(timer);
        }

        timer.Change(interval, Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        lock (_timers)
        {
            _isDisposed = true;
            _timers.ForEach(timer => timer.Dispose());
        }
    }
}
