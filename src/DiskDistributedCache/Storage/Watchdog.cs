namespace DiskDistributedCache.Storage;

/// <summary>
/// Looks after callers who wait for the disk, and after operations that take too long. Ticks, in real time, only while there is
/// something to look after, so an idle cache costs nothing. A tick comes when the first of what it looks after is over its time, and
/// within the I/O timeout: what begins between two ticks is not due before that. So a caller is let go when its time is over and not
/// a part of it later, and a busy cache is looked after a dozen times a second.
///
/// It has a thread of its own: an application that has blocked the thread pool must not keep its other callers waiting.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    private readonly object _lock = new();
    private readonly Func<TimeSpan?> _tick;
    private readonly TimeSpan _timeout;
    private readonly Thread _thread;
    private volatile bool _isArmed;
    private bool _isStopped;

    // Only on the thread.
    private TimeSpan _untilTick;

    /// <param name="tick">Releases the overdue and says in what time the next can be due; null where there is nothing to look after. Does not throw.</param>
    /// <param name="timeout">The I/O timeout.</param>
    public Watchdog(Func<TimeSpan?> tick, TimeSpan timeout)
    {
        _tick = tick;
        _untilTick = _timeout = timeout;
        _thread = new Thread(Run) { IsBackground = true, Name = "DiskDistributedCache watchdog" };
    }

    /// <summary>Without what flows with the caller: the lane outlives the request in which it was started.</summary>
    public void Start() => _thread.UnsafeStart();

    /// <summary>Somebody begins to wait.</summary>
    public void Arm()
    {
        if (_isArmed)
        {
            return;
        }

        lock (_lock)
        {
            _isArmed = true;
            Monitor.Pulse(_lock);
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isStopped = true;
            Monitor.Pulse(_lock);
        }
    }

    private void Run()
    {
        while (WaitForTick())
        {
            // Disarmed first: whoever begins to wait from here on arms it again.
            _isArmed = false;
            var due = TryTick();
            _untilTick = WaitFor(due ?? _timeout);
            if (due is not null)
            {
                Arm();
            }
        }
    }

    /// <summary>In whole milliseconds, as waits are, and never too short: a tick before the time would be in vain.</summary>
    private TimeSpan WaitFor(TimeSpan due) =>
        TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(due.TotalMilliseconds), 1, Math.Ceiling(_timeout.TotalMilliseconds)));

    private TimeSpan? TryTick()
    {
        try
        {
            return _tick();
        }
        catch (Exception)
        {
            // What went wrong is not worth the callers who wait.
            return TimeSpan.Zero;
        }
    }

    private bool WaitForTick()
    {
        lock (_lock)
        {
            while (!_isArmed && !_isStopped)
            {
                Monitor.Wait(_lock);
            }

            return !_isStopped && (!Monitor.Wait(_lock, _untilTick) || !_isStopped);
        }
    }
}
