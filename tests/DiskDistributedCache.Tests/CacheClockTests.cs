using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tests;

public sealed class CacheClockTests
{
    private static readonly TimeSpan s_pause = TimeSpan.FromHours(1);

    // Seen to fail when the monotonic clock was looked at before UTC: the clock then was an hour ahead for good.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_thread_that_pauses_between_two_looks_does_not_put_the_clock_ahead(int looksBeforeThePause)
    {
        var time = new PausingTime(looksBeforeThePause);
        var clock = new CacheClock(time);
        for (int i = 0; i < 3; i++)
        {
            _ = clock.NowTicks;
        }

        Assert.Equal(time.Now.UtcTicks, clock.NowTicks);
    }

    /// <summary>Both clocks stand still but for one pause after so many looks at either.</summary>
    private sealed class PausingTime(int looksBeforeThePause) : TimeProvider
    {
        private static readonly DateTimeOffset s_start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
        private int _looks;

        public DateTimeOffset Now => s_start + Elapsed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        private TimeSpan Elapsed => _looks >= looksBeforeThePause ? s_pause : TimeSpan.Zero;

        public override DateTimeOffset GetUtcNow()
        {
            var now = Now;
            _looks++;
            return now;
        }

        public override long GetTimestamp()
        {
            long now = Elapsed.Ticks;
            _looks++;
            return now;
        }
    }
}
