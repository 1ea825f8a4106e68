namespace DiskDistributedCache.Health;

/// <summary>
/// A clock for code that measures durations with the wall clock: its wall clock begins at a fixed moment and goes on as the
/// monotonic clock does, so that setting the real one neither prolongs nor ends what is measured.
/// </summary>
internal sealed class BreakClock(TimeProvider timeProvider) : TimeProvider
{
    private readonly long _start = timeProvider.GetTimestamp();

    public override long TimestampFrequency => timeProvider.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + timeProvider.GetElapsedTime(_start);

    public override long GetTimestamp() => timeProvider.GetTimestamp();
}
