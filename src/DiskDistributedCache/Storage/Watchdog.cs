namespace DiskDistributedCache.Storage;

/// <summary>
/// Looks after callers who wait for the disk. Ticks, in real time, only while somebody waits, so an idle cache costs nothing. A tick
/// comes a few times within the I/O timeout.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    private const int Stopped = 2;
    private const int Armed = 1;
    private const int Idle = 0;

    private readonly Func<bool> _tick;
    private readonly TimeSpan _period;
    private readonly Timer _timer;
    private int _state;

    /// <param name="tick">Releases the overdue and says whether anybody still waits.</param>
    /// <param name="timeout">The I/O timeout.</param>
    public Watchdog(Func<bool> tick, TimeSpan timeout)
    {
        _tick = tick;
        _period = TimeSpan.FromTicks(Math.Clamp(timeout.Ticks / 8, TimeSpan.TicksPerMillisecond, 20 * TimeSpan.TicksPerMillisecond));
        _timer = new Timer(static state => ((Watchdog)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Somebody begins to wait.</summary>
    public void Arm()
    {
        if (Volatile.Read(ref _state) == Idle && Interlocked.CompareExchange(ref _state, Armed, Idle) == Idle)
        {
            _timer.Change(_period, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        Interlocked.Exchange(ref _state, Stopped);
        _timer.Dispose();
    }

    private void Tick()
    {
        if (Interlocked.CompareExchange(ref _state, Idle, Armed) == Armed && _tick())
        {
            Arm();
        }
    }
}
