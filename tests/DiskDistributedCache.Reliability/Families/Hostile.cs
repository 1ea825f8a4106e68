using System.Buffers;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Scenarios.Sweeps;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Callers, settings and folders that mean no good, or do not know better: odd keys and values, buffers that break their contract, settings at
/// and beyond every limit, keys with the same hash, and folders that are not what a cache expects.
/// </summary>
internal sealed class Hostile : Family
{
    private static readonly TimeSpan s_never = TimeSpan.FromDays(1);

    public override string Name => "hostile";

    public override string What => "odd keys and values, buffers, settings and folders, and keys with the same hash; every operation, restarted and read";

    public override string Unit => "cases";

    public override Counts Counts => new(110, 5_000, 50_000);

    public override double CaseMilliseconds => 30;

    public override async Task RunAsync(FamilyRun run)
    {
        var tally = new Tally();
        await run.ForEachCaseAsync(async one =>
        {
            var random = one.NewRandom();
            using var disk = new SweepDisk();
            var scene = new HostileScene(one, random, disk.NewRoot());
            string kind = (one.Number % 5) switch
            {
                0 => await KeysAsync(scene),
                1 => await ValuesAsync(scene),
                2 => await HostileOptions.CheckAsync(scene, one.Number / 5),
                3 => await CollisionsAsync(scene),
                _ => await HostileFolders.CheckAsync(scene, one.Number / 5),
            };
            tally.Count(kind, ("values read", scene.HitCount));
        });
        run.Note(tally.ToString("kind", "cases"));
    }

    public static DiskDistributedCacheOptions OptionsFor(string root) => new()
    {
        Directory = root,
        WitnessDirectory = SweepDisk.WitnessFolder,
        MaxDiskBytes = 64 << 20,
        SegmentBytes = 1 << 20,
        MinFreeDiskBytes = 0,
        MaxEntryBytes = HostileValues.MaxBytes,
        IoTimeout = TimeSpan.FromMinutes(1),
        BreakDuration = TimeSpan.FromMinutes(2),
        HealthCheckInterval = s_never,
        RecoveryInterval = s_never,
    };

    /// <summary>Every operation on keys that are easily confused, in both key spaces; nothing is lost over a restart.</summary>
    private static async Task<string> KeysAsync(HostileScene scene)
    {
        var random = scene.Random;
        string[] keys = HostileValues.DrawKeys(random);
        for (int life = 0; life < 2; life++)
        {
            await using var cache = new DiskCache(OptionsFor(scene.Root));
            await scene.CheckAsync(cache, mustBeThere: true);
            for (int step = 0; step < 12; step++)
            {
                await StepAsync(scene, cache, new CacheKey((KeySpace)random.Next(2), keys[random.Next(keys.Length)]), keys[random.Next(keys.Length)]);
            }

            await HostileValues.CheckNullsAsync(scene, cache);
            await scene.CheckAsync(cache, mustBeThere: true);
        }

        await using var last = new DiskCache(OptionsFor(scene.Root));
        await scene.CheckAsync(last, mustBeThere: true);
        return "odd keys";
    }

    private static async Task StepAsync(HostileScene scene, DiskCache cache, CacheKey key, string tag)
    {
        var random = scene.Random;
        switch (random.Next(8))
        {
            case < 4:
                await scene.SetAsync(cache, key, random.Next(300), random.Next(2) == 0 ? [tag] : []);
                break;
            case 4 when key.Space == KeySpace.Data:
                cache.Remove(key.Text);
                scene.Forget(key);
                break;
            case 5:
                await cache.EvictByTagAsync(tag);
                scene.Evict(tag);
                break;
            case 6 when key.Space == KeySpace.Data:
                await cache.RefreshAsync(key.Text);
                cache.Refresh(key.Text);
                break;
            default:
                await scene.CheckAsync(cache, mustBeThere: true);
                break;
        }
    }

    /// <summary>Values of every size, from many segments, through buffers of all kinds.</summary>
    private static async Task<string> ValuesAsync(HostileScene scene)
    {
        var random = scene.Random;
        var key = new CacheKey(KeySpace.Data, "value");
        var options = OptionsFor(scene.Root);
        options.MaxMemoryBytes = random.Next(2) == 0 ? 0 : options.MaxMemoryBytes;
        await using (var cache = new DiskCache(options))
        {
            for (int step = 0; step < 4; step++)
            {
                await scene.SetAsync(cache, key, HostileValues.Lengths[random.Next(HostileValues.Lengths.Length)], []);
                await HostileValues.ReadThroughBuffersAsync(scene, cache, key);
            }

            await scene.CheckAsync(cache, mustBeThere: true);
        }

        await using var next = new DiskCache(options);
        await scene.CheckAsync(next, mustBeThere: true);
        return "odd values and buffers";
    }

    /// <summary>Keys with the same hash displace each other on disk; no read ever mixes them.</summary>
    private static async Task<string> CollisionsAsync(HostileScene scene)
    {
        int different = scene.Random.Next(3);
        var time = new TestClock();
        SweepProcess? before = null;
        string root = scene.Root;
        for (int life = 0; life < 3; life++)
        {
            bool isRoomy = scene.Random.Next(2) == 0;
            await using var process = new SweepProcess(root, time, isRoomy, before, hashOf: (key, _) => different == 0 ? 7 : (ulong)key.Text[^1] % (ulong)(1 + different));
            await process.StartAsync();
            await process.CheckAsync(mustBeThere: false);
            await SweepWorkload.RunAsync(process, scene.Random.Next(), steps: 40);
            await process.CheckAsync(mustBeThere: false);
            process.Violations.ForEach(violation => scene.Violate($"{different + 1} hashes: {violation}"));
            scene.HitCount += process.HitCount;
            before = process;
        }

        return "keys with the same hash";
    }
}

/// <summary>What the callers of a hostile case have been told.</summary>
internal sealed class HostileScene(Case one, Random random, string root)
{
    private readonly Dictionary<CacheKey, (byte[] Value, string[] Tags)> _values = [];

    public Random Random => random;

    public string Root => root;

    public int HitCount { get; set; }

    public void Violate(string what) => one.Violate(what, folder => CopyTo(folder));

    public async Task SetAsync(DiskCache cache, CacheKey key, int length, string[] tags)
    {
        byte[] value = new byte[length];
        random.NextBytes(value);
        var sequence = HostileValues.Cut(value, random);
        if (key.Space == KeySpace.Output)
        {
            await cache.StoreAsync(key, sequence, tags, Expiry.None, default);
        }
        else if (random.Next(2) == 0 && tags.Length == 0)
        {
            cache.Set(key.Text, sequence, new DistributedCacheEntryOptions());
        }
        else
        {
            await cache.SetAsync(key.Text, sequence, new DistributedCacheEntryOptions(), tags, default);
        }

        if (length > HostileValues.MaxBytes)
        {
            _values.Remove(key);
        }
        else
        {
            _values[key] = (value, tags);
        }
    }

    public void Forget(CacheKey key) => _values.Remove(key);

    public void Evict(string tag)
    {
        foreach (var (key, (_, tags)) in _values)
        {
            if (tags.Contains(tag, StringComparer.Ordinal))
            {
                _values.Remove(key);
            }
        }
    }

    public byte[]? ValueOf(CacheKey key) => _values.TryGetValue(key, out var known) ? known.Value : null;

    /// <summary>Reads every odd key in both spaces.</summary>
    public async Task CheckAsync(DiskCache cache, bool mustBeThere)
    {
        foreach (var key in HostileValues.Keys.SelectMany(text => new CacheKey[] { new(KeySpace.Data, text), new(KeySpace.Output, text) }).Union(_values.Keys))
        {
            try
            {
                Judge(key, (await cache.FindAsync(key.Space, key.Text, default))?.Value.ToArray(), mustBeThere);
            }
            catch (DiskCacheUnavailableException) when (HostileValues.IsRetained(key) && cache.GetStatus().Mode != DiskCacheMode.Normal)
            {
                // Nobody may be told a miss of a mark that may be on a disk that cannot be read.
            }
        }
    }

    public void Judge(CacheKey key, byte[]? found, bool mustBeThere)
    {
        byte[]? expected = ValueOf(key);
        HitCount += found is null ? 0 : 1;
        if (found is not null && (expected is null || !found.AsSpan().SequenceEqual(expected)))
        {
            Violate($"{key.Space} key {HostileValues.Describe(key.Text)} LIES");
        }
        else if (found is null && expected is not null && mustBeThere)
        {
            Violate($"{key.Space} key {HostileValues.Describe(key.Text)} is forgotten");
        }
    }

    private void CopyTo(string folder)
    {
        if (Directory.Exists(root))
        {
            StoreImage.Take(root).WriteTo(folder);
        }
    }
}
