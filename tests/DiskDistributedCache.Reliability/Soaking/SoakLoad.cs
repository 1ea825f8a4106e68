using System.Diagnostics.CodeAnalysis;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Reliability.Soaking;

/// <summary>
/// Threads that read, write and remove: 80, 15 and 5 of 100. Keys are asked for by Zipf's law. Each key and tag belongs to one thread, which
/// knows the one version that a read may return.
/// </summary>
internal sealed class SoakLoad(int seed, EventTrail trail)
{
    private const int Threads = 4;
    private const int KeysOfThread = 500;
    private const int TagsOfThread = 8;
    private const int MinBytes = 1 << 10;
    private const int Doublings = 10; // to 1 MiB
    private const long SlackTicks = TimeSpan.TicksPerMillisecond * 100;
    private static readonly double[] s_zipf = ZipfSums();

    // A key's place belongs to its thread.
    private readonly Truth[] _truth = new Truth[Threads * KeysOfThread];
    private string? _wrong;
    private long _reads;
    private long _hits;
    private long _sets;
    private long _removals;
    private int _version;

    /// <summary>The first thing that was wrong, or null.</summary>
    public string? Wrong => Volatile.Read(ref _wrong);

    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Much more is asked for than there is room for, in memory and on disk.</summary>
    public static DiskDistributedCacheOptions OptionsFor(string folder) => new()
    {
        Directory = Path.Combine(folder, "cache"),
        MaxDiskBytes = 64 << 20,
        SegmentBytes = 4 << 20,
        MaxMemoryBytes = 8 << 20,
        MaxEntryBytes = PatternedValue.MaxBytes,
        MaxQuarantineBytes = 1 << 20,
        MinFreeDiskBytes = 1 << 20,
        IoTimeout = TimeSpan.FromMilliseconds(200),
        BreakDuration = TimeSpan.FromMilliseconds(500),
        HealthCheckInterval = TimeSpan.FromSeconds(1),
        RecoveryInterval = TimeSpan.FromSeconds(1),
        HeartbeatInterval = TimeSpan.FromMilliseconds(500),
    };

    /// <summary>Starts the threads; they end when they are told to, or when something is wrong.</summary>
    public List<Task> Start(DiskCache cache, CancellationToken end) =>
    [
        .. Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
            () => Work(cache, thread, end), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)),
    ];

    /// <summary>Reads every key once.</summary>
    public void ReadAll(DiskCache cache)
    {
        for (int key = 0; key < _truth.Length; key++)
        {
            Read(cache, key);
        }
    }

    public override string ToString() => $"{_reads:#,0} reads with {_hits:#,0} hits, {_sets:#,0} sets, {_removals:#,0} removals and evictions";

    private void Work(DiskCache cache, int thread, CancellationToken end)
    {
        var random = new Random(seed + thread);
        try
        {
            while (!end.IsCancellationRequested && Wrong is null)
            {
                Step(cache, thread, random);

                // The machine is not to be all ours, and the disk not all worn.
                end.WaitHandle.WaitOne(random.Next(3));
            }
        }
        catch (Exception exception)
        {
            Fail($"threw {exception}");
        }
    }

    private void Step(DiskCache cache, int thread, Random random)
    {
        int key = (thread * KeysOfThread) + Draw(random);
        switch (random.Next(1_000))
        {
            case < 800:
                Read(cache, key);
                break;
            case < 950:
                Set(cache, key, thread, random);
                break;
            case < 998:
                trail.Add($"remove {key}");
                cache.Remove(NameOf(key));
                trail.Add($"removed {key}");
                _truth[key] = default;
                Interlocked.Increment(ref _removals);
                break;
            default:
                EvictTag(cache, thread, 1 + (thread * TagsOfThread) + random.Next(TagsOfThread));
                break;
        }
    }

    private void Read(DiskCache cache, int key)
    {
        long began = DateTime.UtcNow.Ticks;
        byte[]? value = cache.Get(NameOf(key));
        Interlocked.Increment(ref _reads);
        var truth = _truth[key];
        if (value is not null)
        {
            Interlocked.Increment(ref _hits);
            int version = PatternedValue.VersionOf(key, value);
            trail.Add($"read {key}: version {version}");
            if (version <= 0 || version != truth.Version || (truth.Deadline > 0 && truth.Deadline + SlackTicks < began))
            {
                Fail($"version {version} of key {key} was read at {began}, it is at {truth}");
            }
        }

        if (truth.WindowTicks > 0)
        {
            // If it was there, it is there for longer now; if it was not, nothing comes of it.
            _truth[key] = truth with { Deadline = truth.Deadline + SlackTicks < began ? truth.Deadline : DateTime.UtcNow.Ticks + truth.WindowTicks };
        }
    }

    [SuppressMessage("Usage", "VSTHRD002", Justification = "On a thread of its own.")]
    private void Set(DiskCache cache, int key, int thread, Random random)
    {
        int version = Interlocked.Increment(ref _version);
        int milliseconds = random.Next(3) == 0 ? random.Next(50, 20_000) : 0;
        bool isSliding = random.Next(2) == 0;
        int tag = random.Next(2) == 0 ? 1 + (thread * TagsOfThread) + random.Next(TagsOfThread) : 0;
        var life = TimeSpan.FromMilliseconds(milliseconds);
        var options = new DistributedCacheEntryOptions
        {
            SlidingExpiration = milliseconds > 0 && isSliding ? life : null,
            AbsoluteExpirationRelativeToNow = milliseconds > 0 && !isSliding ? life : null,
        };
        byte[] value = PatternedValue.Of(key, version, (int)(MinBytes * Math.Pow(2, random.NextDouble() * Doublings)));
        trail.Add($"set {key}: version {version}, {value.Length} bytes, {milliseconds} ms{(isSliding ? " sliding" : "")}, tag {tag}");
        cache.SetAsync(NameOf(key), value, options, tag > 0 ? [$"tag {tag}"] : null, CancellationToken.None).GetAwaiter().GetResult();
        _truth[key] = new Truth(version, tag, milliseconds > 0 ? DateTime.UtcNow.Ticks + life.Ticks : 0, isSliding ? life.Ticks : 0);
        trail.Add($"was set {key}: version {version}");
        Interlocked.Increment(ref _sets);
    }

    [SuppressMessage("Usage", "VSTHRD002", Justification = "On a thread of its own.")]
    private void EvictTag(DiskCache cache, int thread, int tag)
    {
        trail.Add($"evict tag {tag}");
        cache.EvictByTagAsync($"tag {tag}").AsTask().GetAwaiter().GetResult();
        trail.Add($"evicted tag {tag}");
        Interlocked.Increment(ref _removals);
        foreach (ref var truth in _truth.AsSpan(thread * KeysOfThread, KeysOfThread))
        {
            truth = truth.Tag == tag ? default : truth;
        }
    }

    private void Fail(string wrong)
    {
        trail.Add("WRONG: " + wrong);
        Interlocked.CompareExchange(ref _wrong, wrong, null);
    }

    private static string NameOf(int key) => $"key {key}";

    /// <summary>Number 0 most often, number n a fraction of 1/(n+1) of that.</summary>
    private static int Draw(Random random)
    {
        int found = Array.BinarySearch(s_zipf, random.NextDouble() * s_zipf[^1]);
        return Math.Min(found < 0 ? ~found : found, KeysOfThread - 1);
    }

    private static double[] ZipfSums()
    {
        double[] sums = new double[KeysOfThread];
        double sum = 0;
        for (int key = 0; key < sums.Length; key++)
        {
            sums[key] = sum += 1.0 / (key + 1);
        }

        return sums;
    }

    /// <summary>Version 0: there is nothing to be read. Deadline 0: it lives for ever.</summary>
    private readonly record struct Truth(int Version, int Tag, long Deadline, long WindowTicks);
}
