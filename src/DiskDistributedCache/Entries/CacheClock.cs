namespace DiskDistributedCache.Entries;

/// <summary>
/// The time that expiry goes by. It is UTC that never runs backwards and never slower than the monotonic clock: a wall
/// clock that is set back, also over a restart, must not bring an expired entry back to life. A wall clock that is set
/// forward is followed at once, so that entries die rather than outlive their deadline.
///
/// Concurrency: one number is shared, the largest lead of UTC over the monotonic clock that was ever seen; it only grows. UTC is
/// looked at before the monotonic clock: a thread that pauses in between then sees too small a lead, which changes nothing, and
/// not one too large, which would stay for ever.
/// </summary>
internal sealed class CacheClock(TimeProvider timeProvider)
{
    // In this order, see above.
    private long _leadTicks = timeProvider.GetUtcNow().UtcTicks;
    private readonly long _origin = timeProvider.GetTimestamp();

    /// <summary>The current moment in UTC ticks.</summary>
    public long NowTicks
    {
        get
        {
            long utc = timeProvider.GetUtcNow().UtcTicks;
            long elapsed = ElapsedTicks;
            return elapsed + RaiseLead(utc - elapsed);
        }
    }

    /// <summary>UTC as the operating system has it, without the guarantee above.</summary>
    public long UtcTicks => timeProvider.GetUtcNow().UtcTicks;

    /// <summary>Puts the clock at or after a moment that an earlier process has already seen.</summary>
    public void AdvanceTo(long highWaterTicks) => RaiseLead(highWaterTicks - ElapsedTicks);

    private long ElapsedTicks => timeProvider.GetElapsedTime(_origin).Ticks;

    private long RaiseLead(long leadTicks)
    {
        long seen = Volatile.Read(ref _leadTicks);
        while (leadTicks > seen)
        {
            long before = Interlocked.CompareExchange(ref _leadTicks, leadTicks, seen);
            if (before == seen)
            {
                return leadTicks;
            }

            seen = before;
        }

        return seen;
    }
}
