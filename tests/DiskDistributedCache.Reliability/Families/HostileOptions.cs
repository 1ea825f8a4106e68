using System.Globalization;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>Every setting at its limits, where a cache opens and works, and one step beyond, where it is refused with words that help.</summary>
internal static class HostileOptions
{
    private const int MaxSegmentCount = 4_096;

    private static readonly TimeSpan s_tick = TimeSpan.FromTicks(1);

    private static readonly Limit[] s_limits =
    [
        new("MaxDiskBytes", 1L << 20, null, (options, value) => options.MaxDiskBytes = (long)value),
        new("MaxDiskBytes", null, (64L << 10) * MaxSegmentCount, (options, value) => (options.SegmentBytes, options.MaxDiskBytes) = (64 << 10, (long)value)),
        new("MaxMemoryBytes", 0L, null, (options, value) => options.MaxMemoryBytes = (long)value),
        new("MaxMemoryBytes", null, long.MaxValue, (options, value) => options.MaxMemoryBytes = (long)value),
        new("MemoryOnlyMaxMemoryBytes", 64L << 20, null, (options, value) => options.MemoryOnlyMaxMemoryBytes = (long)value),
        new("MaxEntryBytes", 1L, 1L << 30, (options, value) => options.MaxEntryBytes = (long)value),
        new("SegmentBytes", 64 << 10, 1 << 30, (options, value) => (options.SegmentBytes, options.MaxDiskBytes) = ((int)value, 1 << 20)),
        new("MaxEntries", 1, int.MaxValue, (options, value) => options.MaxEntries = (int)value),
        new("MinFreeDiskBytes", 0L, long.MaxValue, (options, value) => options.MinFreeDiskBytes = (long)value),
        new("MaxQuarantineBytes", 0L, long.MaxValue, (options, value) => options.MaxQuarantineBytes = (long)value),
        new("FailureThreshold", 2, 1000, (options, value) => options.FailureThreshold = (int)value),
        new("MemoryOnlyThreshold", 1, int.MaxValue, (options, value) => options.MemoryOnlyThreshold = (int)value),
        new("CompressionThresholdBytes", 0, int.MaxValue, (options, value) => options.CompressionThresholdBytes = (int)value),
        new("IoTimeout", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), (options, value) => options.IoTimeout = (TimeSpan)value),
        new("BreakDuration", TimeSpan.FromMilliseconds(500), TimeSpan.FromDays(1), (options, value) =>
            (options.IoTimeout, options.BreakDuration) = (TimeSpan.FromMilliseconds(400), (TimeSpan)value)),
        new("HealthCheckInterval", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), (options, value) => options.HealthCheckInterval = (TimeSpan)value),
        new("RecoveryInterval", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), (options, value) => options.RecoveryInterval = (TimeSpan)value),
        new("HeartbeatInterval", TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1), (options, value) => options.HeartbeatInterval = (TimeSpan)value),
        new("DefaultSlidingExpiration", s_tick, TimeSpan.MaxValue, (options, value) => options.DefaultSlidingExpiration = (TimeSpan)value),
        new("DefaultAbsoluteExpirationRelativeToNow", s_tick, TimeSpan.MaxValue, (options, value) =>
            options.DefaultAbsoluteExpirationRelativeToNow = (TimeSpan)value),
    ];

    public static async Task<string> CheckAsync(HostileScene scene, int number)
    {
        var limit = s_limits[number % s_limits.Length];
        bool isMax = number / s_limits.Length % 2 == 1;
        if ((isMax ? limit.Max : limit.Min) is not { } value)
        {
            value = (isMax ? limit.Min : limit.Max)!;
            isMax = !isMax;
        }

        Refuse(scene, limit, value, isMax);
        await OpenAsync(scene, limit, value);
        return "settings at their limits";
    }

    private static async Task OpenAsync(HostileScene scene, Limit limit, object value)
    {
        var options = Hostile.OptionsFor(scene.Root);
        limit.Set(options, value);
        var key = new CacheKey(KeySpace.Data, "k");
        bool isShortLived = value is TimeSpan lifetime && lifetime == s_tick;
        for (int life = 0; life < 2; life++)
        {
            await using var cache = new DiskCache(options);
            await cache.StartAsync();
            await scene.CheckAsync(cache, mustBeThere: false);
            await scene.SetAsync(cache, key, length: 1, []);
            if (!isShortLived)
            {
                scene.Judge(key, cache.Get(key.Text), mustBeThere: options.MaxMemoryBytes > 0);
            }
        }
    }

    private static void Refuse(HostileScene scene, Limit limit, object value, bool isMax)
    {
        if (Beyond(value, isMax ? 1 : -1) is not { } beyond)
        {
            return;
        }

        var options = Hostile.OptionsFor(scene.Root);
        limit.Set(options, beyond);
        try
        {
            new DiskCache(options).Dispose();
            scene.Violate($"{limit.Name} may be {beyond}");
        }
        catch (OptionsValidationException refused)
        {
            string given = Convert.ToString(beyond, CultureInfo.InvariantCulture)!;
            if (!refused.Message.Contains(limit.Name, StringComparison.Ordinal)
                || !refused.Message.Contains(given, StringComparison.Ordinal)
                || !refused.Message.Contains("Set ", StringComparison.Ordinal))
            {
                scene.Violate($"{limit.Name} of {beyond} is refused with '{refused.Message}'");
            }
        }
    }

    /// <summary>So many steps further; null where no number is.</summary>
    private static object? Beyond(object value, int steps) => value switch
    {
        int number => steps > 0 && number == int.MaxValue ? null : number + steps,
        long number => steps > 0 && number == long.MaxValue ? null : number + steps,
        TimeSpan time => steps > 0 && time == TimeSpan.MaxValue ? null : time + (steps * s_tick),
        _ => null,
    };

    private sealed record Limit(string Name, object? Min, object? Max, Action<DiskDistributedCacheOptions, object> Set);
}
