using System.Buffers;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>An entry is dead as soon as the earliest of its deadlines is reached, and not a tick before.</summary>
public abstract class ExpiryContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_tick = TimeSpan.FromTicks(1);

    [Theory]
    [InlineData(Way.Sync)]
    [InlineData(Way.Async)]
    [InlineData(Way.SyncSequence)]
    [InlineData(Way.AsyncSequence)]
    public async Task A_relative_limit_ends_the_entry_to_the_tick(Way way)
    {
        await WriteAsync(way, "key", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = s_minute });

        await LivesExactly("key", s_minute);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(-11)]
    public async Task An_absolute_limit_ends_the_entry_to_the_tick_in_any_time_zone(int offsetHours)
    {
        var moment = (Time.GetUtcNow() + s_minute).ToOffset(TimeSpan.FromHours(offsetHours));
        await Cache.SetAsync("key", [1], new DistributedCacheEntryOptions { AbsoluteExpiration = moment }, Token);

        await LivesExactly("key", s_minute);
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    public async Task The_earlier_of_an_absolute_and_a_relative_limit_rules(int absoluteMinutes, int relativeMinutes)
    {
        var options = new DistributedCacheEntryOptions
        {
            AbsoluteExpiration = Time.GetUtcNow().AddMinutes(absoluteMinutes),
            AbsoluteExpirationRelativeToNow = TimeSpan.FromMinutes(relativeMinutes),
        };
        await Cache.SetAsync("key", [1], options, Token);

        await LivesExactly("key", s_minute);
    }

    [Fact]
    public async Task A_lifetime_of_one_tick_is_kept()
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = s_tick });
        Assert.Equal([1], Cache.Get("key"));

        Time.Advance(s_tick);
        await BetweenWriteAndReadAsync();

        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task An_entry_without_limits_stays()
    {
        Cache.Set("key", [1], Forever);
        await BetweenWriteAndReadAsync();
        Time.AdjustTime(Time.GetUtcNow().AddDays(3_650));

        Assert.Equal([1], await ReadAsync("key"));
    }

    [Fact]
    public async Task Limits_beyond_the_end_of_time_mean_never()
    {
        var limits = new Dictionary<string, DistributedCacheEntryOptions>
        {
            ["relative"] = new() { AbsoluteExpirationRelativeToNow = TimeSpan.MaxValue },
            ["absolute"] = new() { AbsoluteExpiration = DateTimeOffset.MaxValue },
            ["sliding"] = new() { SlidingExpiration = TimeSpan.MaxValue },
            ["all"] = new()
            {
                AbsoluteExpirationRelativeToNow = TimeSpan.MaxValue,
                AbsoluteExpiration = DateTimeOffset.MaxValue,
                SlidingExpiration = TimeSpan.MaxValue,
            },
        };
        foreach (var (key, options) in limits)
        {
            await Cache.SetAsync(key, [1], options, Token);
        }

        await BetweenWriteAndReadAsync();
        Time.AdjustTime(Time.GetUtcNow().AddDays(36_500));

        foreach (string key in limits.Keys)
        {
            Assert.Equal([1], await ReadAsync(key));
        }
    }

    [Fact]
    public async Task An_unused_sliding_entry_dies_at_the_end_of_its_window()
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = s_minute });
        await BetweenWriteAndReadAsync();

        Time.Advance(s_minute);

        Assert.Null(await ReadAsync("key"));
    }

    [Theory]
    [InlineData("Get")]
    [InlineData("GetAsync")]
    [InlineData("TryGet")]
    [InlineData("TryGetAsync")]
    [InlineData("Refresh")]
    [InlineData("RefreshAsync")]
    public async Task Every_use_starts_the_window_of_a_sliding_entry_anew(string use)
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = s_minute });
        for (int i = 0; i < 4; i++)
        {
            await BetweenWriteAndReadAsync();
            Time.Advance(s_minute - s_tick);
            await UseAsync(use, "key");
        }

        Time.Advance(s_minute - s_tick);
        await BetweenWriteAndReadAsync();
        Assert.Equal([1], await ReadAsync("key"));

        Time.Advance(s_minute);
        Assert.Null(await ReadAsync("key"));
    }

    [Theory]
    [InlineData("GetAsync")]
    [InlineData("Refresh")]
    public async Task A_window_never_reaches_beyond_the_absolute_limit(string use)
    {
        var options = new DistributedCacheEntryOptions
        {
            SlidingExpiration = s_minute,
            AbsoluteExpirationRelativeToNow = s_minute * 1.5,
        };
        Cache.Set("key", [1], options);
        await BetweenWriteAndReadAsync();

        Time.Advance(s_minute - s_tick);
        await UseAsync(use, "key");
        Time.Advance(s_minute / 2);
        await BetweenWriteAndReadAsync();
        Assert.Equal([1], await ReadAsync("key"));

        Time.Advance(s_tick);
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task The_first_window_is_cut_by_the_absolute_limit()
    {
        var options = new DistributedCacheEntryOptions
        {
            SlidingExpiration = TimeSpan.FromHours(1),
            AbsoluteExpiration = Time.GetUtcNow() + s_minute,
        };
        await Cache.SetAsync("key", [1], options, Token);

        await LivesExactly("key", s_minute);
    }

    [Theory]
    [InlineData("Get")]
    [InlineData("RefreshAsync")]
    public async Task Use_does_not_extend_an_entry_that_does_not_slide(string use)
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = s_minute });
        await BetweenWriteAndReadAsync();

        Time.Advance(s_minute - s_tick);
        await UseAsync(use, "key");
        Time.Advance(s_tick);

        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task Use_does_not_bring_an_expired_entry_back()
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { SlidingExpiration = s_minute });
        Time.Advance(s_minute);

        Cache.Refresh("key");
        Assert.Null(await ReadAsync("key"));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task An_overwrite_replaces_the_expiry()
    {
        var shortLife = new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = s_minute };
        Cache.Set("longer", [1], shortLife);
        Cache.Set("longer", [2], Forever);
        Cache.Set("shorter", [1], Forever);
        Cache.Set("shorter", [2], shortLife);
        await BetweenWriteAndReadAsync();

        Time.Advance(s_minute);

        Assert.Equal([2], await ReadAsync("longer"));
        Assert.Null(await ReadAsync("shorter"));
    }

    [Fact]
    public async Task A_wall_clock_that_is_set_back_brings_nothing_back()
    {
        Cache.Set("key", [1], new DistributedCacheEntryOptions { AbsoluteExpirationRelativeToNow = s_minute });
        Time.Advance(s_minute);
        Assert.Null(Cache.Get("key"));

        Time.WallClockError = -s_minute / 2;
        Assert.Null(await ReadAsync("key"));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("key"));
    }

    [Fact]
    public async Task A_limit_that_the_wall_clock_has_yet_to_reach_is_no_mistake_after_the_clock_was_set_back()
    {
        Cache.Set("key", [1], Forever);
        Time.Advance(s_minute);
        Assert.Equal([1], Cache.Get("key"));
        Time.WallClockError = -s_minute;

        var soon = new DistributedCacheEntryOptions { AbsoluteExpiration = Time.GetUtcNow() + (s_minute / 2) };
        Cache.Set("key", [2], soon);

        Assert.Null(await ReadAsync("key"));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("key"));
    }

    private async Task UseAsync(string use, string key)
    {
        switch (use)
        {
            case "Get":
                Assert.NotNull(Cache.Get(key));
                break;
            case "GetAsync":
                Assert.NotNull(await Cache.GetAsync(key, Token));
                break;
            case "TryGet":
                Assert.True(Cache.TryGet(key, new ArrayBufferWriter<byte>()));
                break;
            case "TryGetAsync":
                Assert.True(await Cache.TryGetAsync(key, new ArrayBufferWriter<byte>(), Token));
                break;
            case "Refresh":
                Cache.Refresh(key);
                break;
            default:
                await Cache.RefreshAsync(key, Token);
                break;
        }
    }

    private async Task LivesExactly(string key, TimeSpan lifetime)
    {
        await BetweenWriteAndReadAsync();
        Time.Advance(lifetime - s_tick);
        Assert.NotNull(await ReadAsync(key));

        Time.Advance(s_tick);
        Assert.Null(await ReadAsync(key));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync(key));
    }
}

public sealed class ExpiryInANormalStore : ExpiryContract<NormalStore>;

public sealed class ExpiryWithColdMemory : ExpiryContract<ColdMemory>;

public sealed class ExpiryAfterARestart : ExpiryContract<Restarted>;

public sealed class ExpiryOverAMockFileSystem : ExpiryContract<OverMockFileSystem>;
