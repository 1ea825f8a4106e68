using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Tiers;

/// <summary>Rule 8: sliding entries live on while they are used, in memory, on disk and over restarts.</summary>
public sealed class TieredCacheTouchTests : IAsyncLifetime
{
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(16);
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync() => await _scene.OpenAsync();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when closing did not write the deadlines that only memory and index knew.
    [Fact]
    public async Task A_use_in_memory_just_before_a_clean_close_counts_to_the_tick()
    {
        await _scene.Set("k", "v", expiry: Sliding());
        _scene.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal("v", await _scene.Get("k"));

        await _scene.ReopenClosedAsync();
        _scene.Time.Advance(s_window - TimeSpan.FromTicks(1));
        Assert.Equal("v", await _scene.Get("k"));

        await _scene.ReopenClosedAsync();
        _scene.Time.Advance(s_window);
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when touches were not logged.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Uses_before_a_kill_count_to_half_a_window(bool memoryIsOff)
    {
        _scene.Options.MaxMemoryBytes = memoryIsOff ? 0 : _scene.Options.MaxMemoryBytes;
        await _scene.ReopenClosedAsync();
        await _scene.Set("k", "v", expiry: Sliding());
        for (int i = 0; i < 20; i++)
        {
            _scene.Time.Advance(s_window / 8);
            Assert.Equal("v", await _scene.Get("k"));
        }

        await _scene.Set("written after the touches", "v");
        await _scene.ReopenKilledAsync();
        _scene.Time.Advance(s_window / 2);

        Assert.Equal("v", await _scene.Get("k"));
    }

    // Seen to fail when a touch was not clamped by the absolute expiry.
    [Fact]
    public async Task No_use_extends_an_entry_beyond_its_absolute_expiry()
    {
        var end = _scene.Time.GetUtcNow().Add(1.5 * s_window);
        await _scene.Set("k", "v", expiry: new Expiry(end.UtcTicks, s_window.Ticks));
        for (int i = 0; i < 11; i++)
        {
            _scene.Time.Advance(s_window / 8);
            Assert.Equal("v", await _scene.Get("k"));
        }

        await _scene.ReopenClosedAsync();
        Assert.Equal("v", await _scene.Get("k"));
        _scene.Time.Advance(s_window / 8);

        Assert.Null(await _scene.Get("k"));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when an entry left memory without its deadline.
    [Fact]
    public async Task A_use_in_memory_counts_although_the_entry_has_left_memory_since()
    {
        await _scene.Set("k", "v", expiry: Sliding());
        _scene.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal("v", await _scene.Get("k"));
        for (int i = 0; i < 60; i++)
        {
            await _scene.Set($"filler {i}", new string('f', 30_000));
        }

        _scene.Time.Advance(s_window - TimeSpan.FromSeconds(1));
        var lookup = await _scene.Look("k");

        Assert.Equal(DiskCacheTier.Disk, lookup.Tier);
        Assert.NotNull(lookup.Entry);
    }

    // Seen to fail when a new version kept the later deadline of the old one.
    [Fact]
    public async Task The_uses_of_an_overwritten_version_do_not_extend_the_new_one()
    {
        await _scene.Set("k", "v1", expiry: Sliding());
        _scene.Time.Advance(s_window / 2);
        Assert.Equal("v1", await _scene.Get("k"));
        await _scene.Set("k", "v2", expiry: new Expiry(Expiry.Never, TimeSpan.FromMinutes(1).Ticks));

        await _scene.ReopenClosedAsync();
        Assert.Equal("v2", await _scene.Get("k"));
        _scene.Time.Advance(TimeSpan.FromMinutes(1));

        Assert.Null(await _scene.Get("k"));
    }

    private static Expiry Sliding() => new(Expiry.Never, s_window.Ticks);
}
