using Microsoft.Extensions.Time.Testing;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>A clock that only tests move, and whose wall clock can be set without touching the monotonic one.</summary>
public sealed class TestClock() : FakeTimeProvider(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero))
{
    /// <summary>How far the wall clock is ahead of where it should be.</summary>
    public TimeSpan WallClockError { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + WallClockError;

    // The fake derives its monotonic clock from its wall clock, error included.
    public override long GetTimestamp() => base.GetTimestamp() - WallClockError.Ticks;
}
