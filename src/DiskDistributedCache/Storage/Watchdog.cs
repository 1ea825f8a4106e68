namespace DiskDistributedCache.Storage;

/// <summary>
/// Looks after callers who wait for the disk, and after operations that take too long. Ticks, in real time, only while there is
/// something to look after, so an idle cache costs nothing. A tick comes a few times within the I/O timeout.
///
/// It has a thread of its own: an application that has blocked the thread pool must not keep its other callers waiting.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    private readonly object _lock = new();
    private readonly Func<bool> _tick;
    private readonly TimeSpan _period;
    private readonly Thread _thread;
    private volatile bool _isArmed;
    private bool _isStopped;

    /// <param name="tick">Releases the overdue and says whether there is still something to look after. Does not throw.</param>
    /// <param name="timeout">The I/O timeout.</param>
    public Watchdog(Func<bool> tick, TimeSpan timeout)
    {
        _tick = tick;
        _period = TimeSpan.FromTicks(Math.Clamp(timeout.Ticks / 8, TimeSpan.TicksPerMillisecond, 20 * TimeSpan.TicksPerMillisecond));
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
            if (TryTick())
            {
                Arm();
            }
        }
    }

    private bool TryTick()
    {
        try
        {
            return _tick();
        }
        catch (Exception)
        {
            // What went wrong is not worth the callers who wait.
            return true;
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

            return !_isStopped && (!Monitor.Wait(_lock, _period) || !_isStopped);
        }
    }
}
