using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 22: no clock that is set back brings an expired entry to life.</summary>
public sealed class ClockRuleTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when the high-water mark was not read at opening.
    [Theory]
    [InlineData(-20)]
    [InlineData(-59)]
    public void What_had_expired_stays_expired_when_the_clock_was_set_back_over_a_restart(int minutes)
    {
        SetExpiring("dead", TimeSpan.FromMinutes(5));
        SetExpiring("alive", TimeSpan.FromHours(5));
        _scene.Time.Advance(TimeSpan.FromMinutes(10));
        _scene.Close();
        _scene.Time.WallClockError = TimeSpan.FromMinutes(minutes);

        _scene.Open();

        Assert.Null(_scene.Read("dead"));
        Assert.Equal("v", _scene.Read("alive"));
    }

    // Seen to fail when the high-water mark was written at a clean close only.
    [Fact]
    public void A_heartbeat_keeps_the_time_for_the_process_that_comes_after_a_kill()
    {
        SetExpiring("dead", TimeSpan.FromMinutes(5));
        _scene.Time.Advance(TimeSpan.FromMinutes(10));
        _scene.Store.Heartbeat();
        _scene.Kill();
        _scene.Time.WallClockError = TimeSpan.FromMinutes(-20);

        _scene.Open();

        Assert.Null(_scene.Read("dead"));
    }

    // Seen to fail without the limit of an hour.
    [Fact]
    public void A_clock_that_was_set_back_by_more_than_an_hour_makes_the_store_start_empty_and_with_the_new_time()
    {
        SetExpiring("dead", TimeSpan.FromMinutes(5));
        SetExpiring("alive", TimeSpan.FromDays(5));
        _scene.Close();
        _scene.Time.WallClockError = TimeSpan.FromMinutes(-61);

        _scene.Open();
        Assert.Equal(0, _scene.Index.Count);
        Assert.True(_scene.Store.Report.IsNew);

        SetExpiring("new", TimeSpan.FromMinutes(5));
        _scene.ReopenClosed();
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when UTC was taken as it came.
    [Fact]
    public void What_had_expired_stays_expired_when_the_clock_is_set_back_in_the_life_of_a_process()
    {
        SetExpiring("dead", TimeSpan.FromMinutes(5));
        _scene.Time.Advance(TimeSpan.FromMinutes(5));
        Assert.Null(_scene.Read("dead"));

        _scene.Time.WallClockError = TimeSpan.FromDays(-1);

        Assert.Null(_scene.Read("dead"));
    }

    private void SetExpiring(string key, TimeSpan after) =>
        _scene.Set(key, "v", expiry: new Expiry(_scene.Clock.NowTicks + after.Ticks, 0));
}
