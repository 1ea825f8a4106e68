using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A process with a whole cache over a folder, whose every read is judged. Its callers come one after the other, so that there is one
/// truth at each moment and one that is coming. No step happens by itself: the intervals are longer than any test.
/// </summary>
internal sealed class SweepProcess : IAsyncDisposable
{
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMinutes(1);
    public static readonly string[] Keys = [.. Enumerable.Range(0, 10).Select(i => $"key {i}")];

    private static readonly TimeSpan s_tooLong = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_never = TimeSpan.FromDays(1);

    private readonly HashSet<string> _ownKeys;
    private readonly bool _isRoomy;

    /// <param name="root">The folder.</param>
    /// <param name="time">The clock, which outlives the process.</param>
    /// <param name="isRoomy">Whether nothing has to go for want of space. Else memory holds a few entries and the disk a few segments.</param>
    /// <param name="before">The process that had the store before.</param>
    /// <param name="mustKeep">Whether this process has to have what that one has set.</param>
    /// <param name="threshold">Errors above which the disk is given up.</param>
    /// <param name="ioTimeout">The longest that callers wait.</param>
    /// <param name="hashOf">A hash under which different keys have the same name on disk; null for the true one.</param>
    public SweepProcess(
        string root,
        TestClock time,
        bool isRoomy = true,
        SweepProcess? before = null,
        bool mustKeep = false,
        int threshold = 2,
        TimeSpan? ioTimeout = null,
        Func<CacheKey, long, ulong>? hashOf = null)
    {
        (Root, Time, _isRoomy) = (root, time, isRoomy);
        (Truth, Coming) = (before?.Truth ?? Truth.Nothing, before?.Truth ?? Truth.Nothing);
        _ownKeys = before is null || !mustKeep ? [] : [.. before._ownKeys];
        Files.KeepsCalls = false;
        var options = new DiskDistributedCacheOptions
        {
            Directory = root,
            WitnessDirectory = SweepDisk.WitnessFolder,
            SegmentBytes = 16 << 10,
            MaxDiskBytes = isRoomy ? 2 << 20 : 128 << 10,
            MaxMemoryBytes = isRoomy ? 2 << 20 : 32 << 10,
            MinFreeDiskBytes = 0,
            IoTimeout = ioTimeout ?? TimeSpan.FromMinutes(1),
            BreakDuration = BreakDuration,
            MemoryOnlyThreshold = threshold,
            HeartbeatInterval = s_never,
            HealthCheckInterval = s_never,
            RecoveryInterval = s_never,
            HashOf = hashOf,
        };
        Cache = new TieredCache(options, Files, time, new CollectedLog());
    }

    /// <summary>Called when a mutation has been acknowledged.</summary>
    public event Action? Acknowledged;

    public string Root { get; }

    public TestClock Time { get; }

    public FaultyFileSystem Files { get; } = new();

    public TieredCache Cache { get; }

    /// <summary>What was acknowledged.</summary>
    public Truth Truth { get; private set; }

    /// <summary>The same with the mutation that is under way.</summary>
    public Truth Coming { get; private set; }

    /// <summary>What went wrong.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Reads of what had not died.</summary>
    public int LiveCount { get; private set; }

    /// <summary>Those of them that were answered.</summary>
    public int HitCount { get; private set; }

    /// <summary>What happens at present, for the violations.</summary>
    public string Stage { get; set; } = "";

    /// <summary>What the paths of everything in the folder contain.</summary>
    public string InRoot => Root + Path.DirectorySeparatorChar;

    public Task StartAsync() => Within(Cache.StartAsync());

    public Task SetAsync(string key, int length, string[]? tags = null, TimeSpan? absolute = null, TimeSpan? sliding = null)
    {
        long now = Cache.Clock.NowTicks;
        var expiry = new Expiry(absolute is { } time ? now + time.Ticks : Expiry.Never, sliding?.Ticks ?? 0);
        _ownKeys.Add(key);
        var truth = Truth.Set(key, length, tags ?? [], expiry, now);
        var entry = new CacheEntry(KeyOf(key), truth.ValueOf(key), tags ?? [], expiry, expiry.DeadlineFrom(now));
        return MutateAsync(truth, () => Cache.Set(entry));
    }

    public Task RemoveAsync(string key) => MutateAsync(Truth.Remove(key), () => Cache.Remove(KeyOf(key)));

    public Task EvictAsync(string tag) => MutateAsync(Truth.EvictByTag(tag), () => Cache.EvictByTag(tag));

    public Task ClearAsync() => MutateAsync(Truth.Clear(), Cache.Clear);

    /// <summary>Reads and judges. What this process has set itself it still has in memory.</summary>
    public async Task<byte[]?> GetAsync(string key, bool mustBeThere = true)
    {
        long now = Cache.Clock.NowTicks;
        Coming = Truth.Use(key, now);
        byte[]? found = await FindAsync(key);
        Judge(key, found, mustBeThere && _isRoomy && _ownKeys.Contains(key));
        return found;
    }

    /// <summary>Reads and does not judge.</summary>
    public async Task<byte[]?> FindAsync(string key) => (await Cache.GetAsync(KeyOf(key)).AsTask().WaitAsync(s_tooLong)).Entry?.Value.ToArray();

    /// <summary>Reads every key, and says whether what was set has to be there.</summary>
    public async Task CheckAsync(bool mustBeThere, params string[] moreKeys)
    {
        foreach (string key in Keys.Concat(moreKeys))
        {
            await GetAsync(key, mustBeThere);
        }
    }

    public Task HeartbeatAsync() => Within(Cache.HeartbeatOnceAsync());

    public Task ProbeAsync() => Within(Cache.ProbeOnceAsync());

    public Task RecoverAsync() => Within(Cache.RecoverOnceAsync());

    public Task TrustAsync() => Within(Cache.TrustOnceAsync());

    public Task DrainAsync() => Within(Cache.DrainAsync());

    /// <summary>The break of the circuit breaker passes.</summary>
    public void Wait() => Time.Advance(BreakDuration + TimeSpan.FromSeconds(1));

    /// <summary>The disk is well again: within one round of what the monitor does so is the disk tier.</summary>
    public async Task HealAsync(int rounds = 1)
    {
        Files.Heal();
        for (int round = 0; round < rounds && (round == 0 || !IsBack); round++)
        {
            Wait();
            await HeartbeatAsync();
            await ProbeAsync();
            await RecoverAsync();
            await DrainAsync();
            await TrustAsync();
        }

        if (!IsBack)
        {
            var status = Cache.GetStatus();
            Violate($"the disk tier is not back: {status.Mode}, {status.OwedWrites} owed, {status.Reason}, {status.LastFault}");
        }
    }

    public void Violate(string what) => Violations.Add($"{Stage}: {what}");

    public ValueTask DisposeAsync() => Cache.DisposeAsync();

    private bool IsBack => Cache.GetStatus() is { Mode: DiskCacheMode.Normal, OwedWrites: 0 };

    private static CacheKey KeyOf(string key) => new(KeySpace.Data, key);

    private static Task Within(Task task) => task.WaitAsync(s_tooLong);

    private void Judge(string key, byte[]? found, bool mustBeThere)
    {
        if (Truth.IsSurelyAlive(key, Cache.Clock.NowTicks))
        {
            LiveCount++;
            HitCount += found is null ? 0 : 1;
        }

        if (Truth.Judge(key, found, Cache.Clock.NowTicks, mustBeThere) is { } violation)
        {
            Violate(violation);
        }

        Truth = found is null ? Truth : Coming;
        Coming = Truth;
    }

    private async Task MutateAsync(Truth truth, Func<Acknowledgement> mutate)
    {
        Coming = truth;
        await Within(mutate().AsValueTask().AsTask());
        Truth = truth;
        Acknowledged?.Invoke();
    }
}
