using System.Diagnostics;

namespace DiskDistributedCache.Storage;

/// <summary>
/// How long the disk may take, in real time. A caller waits for the timeout and no longer, whatever it asked for. An operation is
/// stalled, which counts as a failure of the disk, only after the timeout and the time that its bytes take on a slow disk: a large value
/// on a slow disk is no failure.
/// </summary>
/// <param name="Timeout">The longest that a caller waits.</param>
/// <param name="MaxLimit">The longest that any operation may take: less than the break of the circuit breaker.</param>
internal sealed record LaneTimes(TimeSpan Timeout, TimeSpan MaxLimit)
{
    private const double SlowestBytesPerSecond = 20 << 20;

    private static readonly TimeSpan s_minTrustGrace = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The longest that a caller waits, beyond the timeout, for the next process to be told: as a rule that takes less than a
    /// millisecond. Only the first mutation that is owed waits for it.
    /// </summary>
    public TimeSpan TrustGrace { get; } = Timeout / 4 > s_minTrustGrace ? Timeout / 4 : s_minTrustGrace;

    /// <summary>How long an operation on so many bytes may take.</summary>
    public TimeSpan LimitFor(long bytes)
    {
        var limit = Timeout + TimeSpan.FromSeconds(bytes / SlowestBytesPerSecond);
        return limit < MaxLimit ? limit : MaxLimit;
    }

    /// <summary>How long what may have become due a moment ago, or depends on others, is left before it is looked at again.</summary>
    public TimeSpan Soon { get; } = TimeSpan.FromTicks(Math.Clamp(Timeout.Ticks / 8, TimeSpan.TicksPerMillisecond, 20 * TimeSpan.TicksPerMillisecond));

    /// <summary>What is left of a limit for something that began at a timestamp.</summary>
    public static TimeSpan Left(long began, TimeSpan limit) => limit - Stopwatch.GetElapsedTime(began);

    public static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null || other < one ? other ?? one : one;

    /// <summary>Whether something that began at a timestamp has taken longer than a limit.</summary>
    public static bool IsOver(long began, TimeSpan limit) =>
        limit != System.Threading.Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(began) > limit;
}
