using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Abstractions;
using System.Text;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>What a concurrent run has found.</summary>
internal sealed record ConcurrentResult(IReadOnlyList<string> Violations, int ReadCount, int HitCount, long DiskHitCount, int MustHitCount);

/// <summary>
/// Several real threads on a handful of keys, through the whole cache with real lanes over real files in memory; in half of the runs with so
/// little memory that most is read from disk and promoted, in some with a disk that fails or is late, and with evictions and clears.
/// Every value is unique. Then the disk is well, everything is read once more, and once more by the next process. What each key
/// was seen to have has to be in an order: <see cref="RegisterHistory"/>.
///
/// The seed decides what is called; in which order the threads come is up to the machine.
/// </summary>
internal sealed class ConcurrentRun : IDisposable
{
    private const int CallsOfAThread = 60;

    private static readonly string[] s_keys = ["a", "\ud800", "\ud801"];
    private static readonly string[] s_tags = ["red", "blue"];
    private static readonly TimeSpan s_never = TimeSpan.FromDays(1);
    private static readonly DistributedCacheEntryOptions s_forever = new();

    private readonly SweepDisk _disk = new();
    private readonly ConcurrentQueue<(string Key, RegisterCall Call)> _calls = new();
    private readonly ConcurrentQueue<string> _violations = new();
    private readonly TestClock _time = new();
    private readonly FaultyFileSystem _faulty = new();
    private readonly DiskDistributedCacheOptions _options;
    private readonly int _seed;
    private readonly bool _isStruck;
    private readonly int _threadCount;
    private DiskCache _cache;
    private long _moment;
    private int _number;
    private int _reads;
    private int _hits;
    private long _diskHits;

    private ConcurrentRun(int seed)
    {
        var random = new Random(seed);
        _seed = seed;
        _threadCount = random.Next(2, 5);
        _isStruck = random.Next(4) == 0;
        _options = new DiskDistributedCacheOptions
        {
            Directory = _disk.NewRoot(),
            WitnessDirectory = SweepDisk.WitnessFolder,
            SegmentBytes = 64 << 10,
            MaxDiskBytes = 4 << 20,
            MaxMemoryBytes = random.Next(4) switch { 0 => 0, 1 => 12 << 10, 2 => 30 << 10, _ => 8 << 20 },
            MinFreeDiskBytes = 0,
            IoTimeout = TimeSpan.FromMinutes(1),
            BreakDuration = ModelProcess.BreakDuration,
            HeartbeatInterval = s_never,
            HealthCheckInterval = s_never,
            RecoveryInterval = s_never,
            Compression = random.Next(3) == 0 ? DiskCacheCompression.Brotli : DiskCacheCompression.None,
        };
        bool isBehindFaults = _isStruck || random.Next(2) == 0;
        _cache = new DiskCache(_options, isBehindFaults ? _faulty : new FileSystem(), _time);
        _faulty.KeepsCalls = false;
    }

    /// <summary>Blocks until the threads are done.</summary>
    /// <param name="seed">What is called.</param>
    /// <param name="whenWrong">Called with what went wrong, and the disk as the last process has left it, while it is still there.</param>
    public static ConcurrentResult Run(int seed, Action<IReadOnlyList<string>, SweepDisk>? whenWrong = null)
    {
        using var run = new ConcurrentRun(seed);
        run._cache.StartAsync().GetAwaiter().GetResult();
        run.RunThreads();
        run.End();
        int mustHits = run.JudgeAll();
        if (!run._violations.IsEmpty)
        {
            whenWrong?.Invoke([.. run._violations], run._disk);
        }

        return new ConcurrentResult([.. run._violations], run._reads, run._hits, run._diskHits, mustHits);
    }

    public void Dispose()
    {
        _faulty.Heal();
        _cache.Dispose();
        _disk.Dispose();
    }

    private void RunThreads()
    {
        using var start = new Barrier(_threadCount);
        var threads = Enumerable.Range(0, _threadCount).Select(number => new Thread(() =>
        {
            start.SignalAndWait();
            Work(new Random((_seed * 31) + number), isFirst: number == 0);
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
    }

    private void Work(Random random, bool isFirst)
    {
        try
        {
            for (int i = 0; i < CallsOfAThread; i++)
            {
                if (isFirst && i % 8 == 7)
                {
                    Disturb(random);
                }

                Step(random);
            }
        }
        catch (Exception exception)
        {
            _violations.Enqueue($"threw {exception}");
        }
    }

    /// <summary>The disk gets worse or better, and the monitor comes by.</summary>
    private void Disturb(Random random)
    {
        if (_isStruck)
        {
            switch (random.Next(4))
            {
                case 0:
                    _faulty.Fail(FileOperation.Read, TierScene.Segments, times: random.Next(1, 4));
                    break;
                case 1:
                    _faulty.Fail(FileOperation.Write, TierScene.Segments, times: random.Next(1, 4));
                    break;
                case 2:
                    _faulty.ShortenReads(50, TierScene.Segments, times: 10);
                    break;
                default:
                    Recover();
                    break;
            }
        }

        _cache.Tiers.HeartbeatOnceAsync().GetAwaiter().GetResult();
    }

    private void Recover()
    {
        _faulty.Heal();
        _time.Advance(ModelProcess.BreakDuration + TimeSpan.FromSeconds(1));
        _cache.Tiers.HeartbeatOnceAsync().GetAwaiter().GetResult();
        _cache.Tiers.RecoverOnceAsync().GetAwaiter().GetResult();
    }

    private void Step(Random random)
    {
        string key = s_keys[random.Next(s_keys.Length)];
        switch (random.Next(20))
        {
            case < 11:
                Read(key);
                break;
            case < 17:
                Set(key, random.Next(40, random.Next(5) == 0 ? 12_000 : 3000), random.Next(3) is var tag and < 2 ? s_tags[tag] : null);
                break;
            case 17:
                Record([key], RegisterAct.Remove, 0, null, () => _cache.Remove(key));
                break;
            case 18:
                string evicted = s_tags[random.Next(s_tags.Length)];
                Record(s_keys, RegisterAct.Evict, 0, evicted, () => _cache.EvictByTagAsync(evicted).AsTask().GetAwaiter().GetResult());
                break;
            default:
                if (random.Next(4) == 0)
                {
                    Record(s_keys, RegisterAct.Remove, 0, null, () => _cache.ClearAsync().AsTask().GetAwaiter().GetResult());
                }
                else
                {
                    _cache.Refresh(key);
                }

                break;
        }
    }

    private void Set(string key, int length, string? tag)
    {
        int number = Interlocked.Increment(ref _number);
        byte[] value = ValueOf(key, number, length);
        Record([key], RegisterAct.Set, number, tag, () =>
            _cache.SetAsync(key, value, s_forever, tag is null ? null : [tag], CancellationToken.None).GetAwaiter().GetResult());
    }

    private void Read(string key)
    {
        long began = Interlocked.Increment(ref _moment);
        byte[]? value = _cache.Get(key);
        long ended = Interlocked.Increment(ref _moment);
        Interlocked.Increment(ref _reads);
        if (value is null)
        {
            return;
        }

        Interlocked.Increment(ref _hits);
        int number = value.Length < 4 ? 0 : BinaryPrimitives.ReadInt32LittleEndian(value);
        if (!value.AsSpan().SequenceEqual(ValueOf(key, number, value.Length)))
        {
            _violations.Enqueue($"'{key}' LIES: {value.Length} bytes that were never set for it, or are damaged");
            return;
        }

        _calls.Enqueue((key, new RegisterCall(RegisterAct.Read, number, null, began, ended)));
    }

    private void Record(string[] keys, RegisterAct act, int number, string? tag, Action call)
    {
        long began = Interlocked.Increment(ref _moment);
        call();
        long ended = Interlocked.Increment(ref _moment);
        foreach (string key in keys)
        {
            _calls.Enqueue((key, new RegisterCall(act, number, tag, began, ended)));
        }
    }

    /// <summary>All is well again, and this process and the next one are asked what there is.</summary>
    private void End()
    {
        Recover();
        Array.ForEach(s_keys, Read);
        _cache.DrainAsync().GetAwaiter().GetResult();
        _diskHits = _cache.GetStatus().DiskHits;
        _cache.Dispose();
        _cache = new DiskCache(_options, new FileSystem(), _time);
        _cache.StartAsync().GetAwaiter().GetResult();
        Array.ForEach(s_keys, Read);
        Array.ForEach(s_keys, Read);
    }

    /// <summary>Judges every key. Returns how many of them had to have a value at the end.</summary>
    private int JudgeAll()
    {
        int mustHits = 0;
        foreach (var ofKey in _calls.GroupBy(call => call.Key, call => call.Call))
        {
            if (RegisterHistory.Judge([.. ofKey]) is { } wrong)
            {
                _violations.Enqueue($"'{ofKey.Key}' LIES: {wrong}");
            }

            var sets = ofKey.Where(call => call.Act == RegisterAct.Set).OrderBy(call => call.Began).ToArray();
            if (!_isStruck && sets is [.., var last] && ofKey.All(call => call == last || call.Act == RegisterAct.Read || call.Ended < last.Began))
            {
                mustHits++;
                if (!ofKey.Any(call => call.Act == RegisterAct.Read && call.Number == last.Number && call.Began > last.Ended))
                {
                    _violations.Enqueue($"'{ofKey.Key}' is forgotten: {last}");
                }
            }
        }

        return mustHits;
    }

    private static byte[] ValueOf(string key, int number, int length)
    {
        byte[] value = new byte[length];
        BinaryPrimitives.WriteInt32LittleEndian(value, number);
        byte salt = (byte)Encoding.Unicode.GetBytes(key)[0];
        for (int i = 4; i < length; i++)
        {
            value[i] = (byte)((number * 31) + (i / 16) + salt);
        }

        return value;
    }
}
