using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Rule 16: what is owed. It is kept in order and within bounds, drains by itself, and gives up the disk's content before the truth.</summary>
public sealed class OwedTests : IAsyncLifetime
{
    private static readonly string[] s_tags = ["t"];
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v0", s_tags);
        await _scene.Set("untouched", "v0");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when only a recovery or another mutation wrote what is owed.
    [Fact]
    public async Task What_is_owed_after_a_single_failure_is_written_and_trusted_by_the_heartbeat_alone()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("k", "v1");
        Assert.Equal(1, _scene.Cache.GetStatus().OwedWrites);
        var trusted = _scene.Log.NextAsync(24);

        _scene.Time.Advance(_scene.Options.HeartbeatInterval);
        await trusted;

        Assert.Equal(0, _scene.Cache.GetStatus().OwedWrites);
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Equal(0, _scene.Log.Count(12) + _scene.Log.Count(13));
        await _scene.ReopenKilledAsync();
        Assert.Equal("v1", await _scene.Get("k"));
        Assert.Equal("v0", await _scene.Get("untouched"));
    }

    // Seen to fail when nothing but a recovery from memory-only mode wrote what memory has.
    [Fact]
    public async Task What_was_given_up_in_a_break_and_stayed_in_memory_is_written_after_it()
    {
        await BreakAsync();
        for (int i = 0; i < 60; i++)
        {
            await _scene.Set($"owed {i}", new string('v', 20_000));
        }

        Assert.Equal(DiskCacheMode.BreakerOpen, _scene.Mode);
        _scene.Files.Heal();
        _scene.Time.Advance(_scene.Options.BreakDuration + TimeSpan.FromSeconds(1));
        await _scene.Cache.HeartbeatOnceAsync();
        string[] inMemory = await KeysInMemoryAsync();
        Assert.InRange(inMemory.Length, 30, 59);
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.HeartbeatOnceAsync();

        await _scene.ReopenKilledWhenTrustedAsync();
        foreach (string key in inMemory)
        {
            Assert.NotNull(await _scene.Get(key));
        }
    }

    // Seen to fail when everything that was owed was given up for it first.
    [Fact]
    public async Task A_value_that_is_larger_than_all_that_may_be_owed_costs_nothing_that_is()
    {
        using var meter = new CollectedMeter();
        await using var scene = new TierScene { Meter = meter };
        scene.Options.MaxDiskBytes = 8 << 20;
        await scene.OpenAsync();
        await scene.LoseDiskAsync();
        await scene.Set("owed", new string('v', 100_000));

        await scene.Set("large", new string('l', 1_200_000));

        meter.Collect();
        Assert.Equal(1, meter.Last("diskcache.evictions diskcache.eviction.reason=owed diskcache.tier=disk"));
        Assert.NotNull(await scene.Get("owed"));
        Assert.Null(await scene.Get("large"));
    }

    // Seen to fail when each change of a key was owed by itself.
    [Fact]
    public async Task What_is_owed_grows_with_the_keys_and_not_with_the_calls()
    {
        await _scene.LoseDiskAsync();
        long before = _scene.Cache.GetStatus().OwedWrites;
        for (int i = 1; i <= 100; i++)
        {
            await _scene.Set("k", $"v{i}");
            await _scene.Remove("another");
        }

        Assert.Equal(before + 2, _scene.Cache.GetStatus().OwedWrites);

        await _scene.RegainDiskAsync();
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v100", await _scene.Get("k"));
    }

    [Theory]
    [InlineData("set, evict, set", "new")]
    [InlineData("set, set, evict", null)]
    [InlineData("evict, remove, set", "new")]
    [InlineData("set, clear, set", "new")]
    [InlineData("set, remove", null)]
    [InlineData("remove, set, set", "new")]
    [InlineData("set, clear", null)]
    public async Task The_order_of_what_is_owed_is_kept(string steps, string? expected)
    {
        await _scene.LoseDiskAsync();
        await DoAsync(steps);
        Assert.Equal(expected, await _scene.Get("k"));

        await _scene.RegainDiskAsync();

        Assert.Equal(expected, await _scene.Get("k"));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal(expected, await _scene.Get("k"));
    }

    // Seen to fail when a change that took the place of an older one kept the number of that one.
    [Theory]
    [InlineData("set, evict, set", "new")]
    [InlineData("set, clear, set", "new")]
    [InlineData("set, evict", null)]
    public async Task The_order_of_what_is_owed_before_the_store_is_open_is_kept(string steps, string? expected)
    {
        await _scene.CloseAsync();
        var gate = _scene.Files.Hold(FileOperation.Open, TierScene.Superblock);
        var opening = _scene.Create().StartAsync();
        await DoAsync(steps);

        gate.Open();
        await opening;

        Assert.Equal(expected, await _scene.Get("k"));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal(expected, await _scene.Get("k"));
    }

    // Seen to fail when what memory holds was not written back.
    [Fact]
    public async Task A_value_that_is_not_owed_any_more_stays_in_memory_and_is_on_disk_after_the_recovery()
    {
        await _scene.LoseDiskAsync();
        await _scene.Set("k", "v1" + new string('1', 30_000));
        await OweMoreThanIsKeptAsync();
        Assert.StartsWith("v1", await _scene.Get("k"), StringComparison.Ordinal);

        await _scene.RegainDiskAsync();
        await _scene.ReopenKilledWhenTrustedAsync();

        Assert.StartsWith("v1", await _scene.Get("k"), StringComparison.Ordinal);
    }

    // Seen to fail when a dropped value left no removal: the older version came back.
    [Fact]
    public async Task A_value_that_is_not_owed_any_more_takes_the_older_version_with_it()
    {
        // Room enough on disk for the older version to stay there, and not enough in memory for the newer one.
        _scene.Options.MemoryOnlyMaxMemoryBytes = _scene.Options.MaxMemoryBytes;
        _scene.Options.MaxDiskBytes = 16 << 20;
        await _scene.ReopenClosedAsync();
        await _scene.LoseDiskAsync();
        await _scene.Set("k", "v1" + new string('1', 30_000));
        await OweMoreThanIsKeptAsync();

        await _scene.RegainDiskAsync();
        Assert.NotEqual("v0", await _scene.Get("k"));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.NotEqual("v0", await _scene.Get("k"));
    }

    // Seen to fail when the overflow dropped mutations and kept the store.
    [Fact]
    public async Task More_than_can_be_owed_gives_up_the_content_of_the_disk_and_nothing_that_memory_holds()
    {
        _scene.Cache.MaxOwedCount = 20;
        await _scene.LoseDiskAsync();
        var told = _scene.Log.NextAsync(11);
        await _scene.Remove("k");
        for (int i = 0; i < 50; i++)
        {
            await _scene.Set($"k{i}", "v1");
        }

        await told;
        Assert.Equal("v1", await _scene.Get("k0"));
        Assert.Equal("v0", await _scene.Get("untouched"));
        Assert.InRange(_scene.Cache.GetStatus().OwedWrites, 1, 22);
        Assert.InRange(_scene.Log.Count(11), 1, 3);

        await _scene.RegainDiskAsync();
        Assert.Equal(1, _scene.Log.Count(23));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Null(await _scene.Get("k"));
        Assert.Equal("v0", await _scene.Get("untouched"));
        for (int i = 0; i < 50; i++)
        {
            Assert.Equal("v1", await _scene.Get($"k{i}"));
        }
    }

    // Seen to fail when the overflow dropped mutations and kept the store.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_process_that_ends_before_the_recovery_of_an_overflow_leaves_nothing_to_believe(bool isClosed)
    {
        _scene.Cache.MaxOwedCount = 20;
        await _scene.LoseDiskAsync();
        await _scene.Remove("k");
        for (int i = 0; i < 25; i++)
        {
            await _scene.Remove($"k{i}");
        }

        if (isClosed)
        {
            _scene.Files.Heal();
            await _scene.ReopenClosedAsync();
        }
        else
        {
            await _scene.ReopenKilledAsync();
        }

        Assert.Null(await _scene.Get("k"));
    }

    private async Task OweMoreThanIsKeptAsync()
    {
        for (int i = 0; i < 40; i++)
        {
            await _scene.Set($"filler {i}", new string('f', 30_000));
        }
    }

    private async Task DoAsync(string steps)
    {
        string[] all = steps.Split(", ");
        for (int i = 0; i < all.Length; i++)
        {
            bool isLastSet = !all.AsSpan(i + 1).Contains("set");
            await (all[i] switch
            {
                "set" => _scene.Set("k", isLastSet ? "new" : "overtaken", s_tags),
                "remove" => _scene.Remove("k"),
                "evict" => _scene.Evict("t"),
                _ => _scene.Clear(),
            });
        }
    }

    /// <summary>The disk fails until the circuit is open.</summary>
    private async Task BreakAsync()
    {
        _scene.Options.MaxDiskBytes = 8 << 20;
        await _scene.ReopenClosedAsync();
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments);
        for (int i = 0; _scene.Mode == DiskCacheMode.Normal; i++)
        {
            await _scene.Set("failing", $"v{i}");
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Cache.ProbeOnceAsync();
        }

        Assert.Equal(DiskCacheMode.BreakerOpen, _scene.Mode);
    }

    private async Task<string[]> KeysInMemoryAsync()
    {
        var found = new List<string>();
        for (int i = 0; i < 60; i++)
        {
            if ((await _scene.Look($"owed {i}")) is { Outcome: LookupOutcome.Hit, Tier: DiskCacheTier.Memory })
            {
                found.Add($"owed {i}");
            }
        }

        return [.. found];
    }
}
