using System.Buffers;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>
/// One process of a model run: a cache as an application has it, with every answer judged by the <see cref="Truth"/>. Callers come one after
/// the other. Nothing happens by itself: the intervals of the monitor are longer than any run, so its steps are steps of the run.
///
/// What has to be there: with room for everything, what this process has set itself, because memory has it; and what it found
/// when it opened a store that its predecessor left in order, until something goes wrong with the disk.
/// </summary>
internal sealed class ModelProcess : IAsyncDisposable
{
    public static readonly TimeSpan BreakDuration = TimeSpan.FromMinutes(5);

    private const int MaxEntryBytes = 120_000;
    private static readonly TimeSpan s_tooLong = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_never = TimeSpan.FromDays(1);

    private readonly ModelRun _run;
    private readonly HashSet<string> _sure;
    private readonly HashSet<string> _own = [];
    private bool _mayForgetAll;

    public ModelProcess(ModelRun run, string root, IEnumerable<string> mustKeep)
    {
        (_run, Root, _sure) = (run, root, [.. mustKeep]);
        Files.KeepsCalls = false;
        bool isRoomy = run.Settings.IsRoomy;
        var options = new DiskDistributedCacheOptions
        {
            Directory = root,
            WitnessDirectory = SweepDisk.WitnessFolder,
            SegmentBytes = 64 << 10,
            MaxDiskBytes = isRoomy ? 32 << 20 : 1 << 20,
            MaxMemoryBytes = isRoomy ? 16 << 20 : 48 << 10,
            MaxEntryBytes = MaxEntryBytes,
            MinFreeDiskBytes = 0,
            IoTimeout = TimeSpan.FromMinutes(1),
            BreakDuration = BreakDuration,
            MemoryOnlyThreshold = 2,
            HeartbeatInterval = s_never,
            HealthCheckInterval = s_never,
            RecoveryInterval = s_never,
            Compression = run.Settings.Compression,
            OnUnknown = run.Settings.OnUnknown,
            RetainKey = run.IsRetained,
        };
        options.UseProtector(run.Protector);

        // Whoever asks has waited for the start: a store that is not open then opens in a step of the run, and waiting for it is in vain.
        Cache = new DiskCache(options, Files, run.Time) { OpenTimeout = TimeSpan.Zero };
    }

    public DiskCache Cache { get; }

    public FaultyFileSystem Files { get; } = new();

    public string Root { get; }

    /// <summary>Whether something may be wrong with the disk.</summary>
    public bool IsStruck { get; private set; }

    /// <summary>Whether something ever was.</summary>
    public bool WasStruck { get; private set; }

    /// <summary>Whether the disk may have less than memory, also when all is well again.</summary>
    public bool HasLost { get; private set; }

    /// <summary>What the next process has to have when this one has left everything in order.</summary>
    public IEnumerable<string> Kept => HasLost || !_run.Settings.IsRoomy ? [] : WasStruck ? _own : _own.Union(_sure);

    public bool IsBack => Cache.GetStatus() is { Mode: DiskCacheMode.Normal, OwedWrites: 0 };

    /// <summary>What has become of the tickets that this process took: how many evictions there had been.</summary>
    public List<(DiskCacheTicket Ticket, int EvictionCount)> Tickets { get; } = [];

    private long Now => Cache.Clock.NowTicks;

    public Task StartAsync() => Cache.StartAsync().WaitAsync(s_tooLong);

    /// <summary>From here on only memory has to have anything.</summary>
    /// <param name="loses">Whether the disk may lose what it has for good.</param>
    public void Strike(bool loses)
    {
        WasStruck = IsStruck = true;
        HasLost |= loses;
        _sure.IntersectWith(_own);
        if (_run.Settings.Retains)
        {
            // A value that is retained and cannot be read costs everything else, also what is set before it is read.
            _mayForgetAll |= loses;
            ExpectNothing();
        }
    }

    /// <summary>Nothing of what was set up to now has to be there.</summary>
    public void ExpectNothing()
    {
        _sure.Clear();
        _own.Clear();
    }

    public async Task SetAsync(string key, int length, string[] tags, DistributedCacheEntryOptions options, int form)
    {
        var truth = SetIn(_run.Truth, key, length, tags, options);
        byte[] value = truth.ValueOf(key);
        await MutateAsync(truth, () => form switch
        {
            0 when tags.Length == 0 => Run(() => Cache.Set(key, value, options)),
            1 => Cache.SetAsync(key, new ReadOnlySequence<byte>(value), options, tags, default).AsTask(),
            _ => Cache.SetAsync(key, value, options, tags, default),
        });
        Own(key);
    }

    public async Task SetManyAsync(IReadOnlyList<string> keys, int length, string[] tags, DistributedCacheEntryOptions options)
    {
        var truth = _run.Truth;
        foreach (string key in keys)
        {
            truth = SetIn(truth, key, length, tags, options);
        }

        await MutateAsync(truth, () => Cache.SetManyAsync(
            keys.Select(key => KeyValuePair.Create(key, truth.ValueOf(key))), options, tags).AsTask());
        keys.ToList().ForEach(Own);
    }

    /// <summary>What was evicted since the ticket was taken is not stored, and what the key had goes as well.</summary>
    public Task SetWithTicketAsync(string key, int length, string[] tags, int which)
    {
        if (Tickets.Count == 0)
        {
            return Task.CompletedTask;
        }

        var (ticket, evictionCount) = Tickets[which % Tickets.Count];
        var options = new DistributedCacheEntryOptions();
        var stored = SetIn(_run.Truth, key, length, tags, options);
        bool isDead = _run.Evictions.Skip(evictionCount).Any(tag => tag is null || tags.Contains(tag, StringComparer.Ordinal));
        _own.Remove(key);
        _sure.Remove(key);
        var truth = isDead ? stored.Remove(key) : stored;
        if (_run.IsRetained(key))
        {
            // Where it is not stored everything goes; also because of a clear that the cache has made of itself.
            ExpectNothing();
            if (isDead)
            {
                truth = stored.Clear();
                _run.Evictions.Add(null);
            }
        }

        return MutateAsync(truth, () => Cache.SetAsync(key, stored.ValueOf(key), options, tags, ticket, default));
    }

    /// <summary>It is not stored, and what the key had goes.</summary>
    public Task SetTooLargeAsync(string key)
    {
        if (_run.IsRetained(key))
        {
            ExpectNothing();
        }

        return MutateAsync(
            _run.Truth.Remove(key), () => Cache.SetAsync(key, new byte[MaxEntryBytes + 1], new DistributedCacheEntryOptions()));
    }

    public Task RemoveAsync(string key, bool isSync) =>
        MutateAsync(_run.Truth.Remove(key), () => isSync ? Run(() => Cache.Remove(key)) : Cache.RemoveAsync(key));

    public Task EvictAsync(string tag)
    {
        _run.Evictions.Add(tag);
        return MutateAsync(_run.Truth.EvictByTag(tag), () => Cache.EvictByTagAsync(tag).AsTask());
    }

    public Task ClearAsync()
    {
        _run.Evictions.Add(null);
        return MutateAsync(_run.Truth.Clear(), () => Cache.ClearAsync().AsTask());
    }

    public async Task GetAsync(string key, int form)
    {
        var (known, value) = await AnswerAsync(key, () => form switch
        {
            0 => Task.FromResult(Cache.Get(key)),
            1 => TryGetAsync(key),
            2 => Task.FromResult(TryGet(key)),
            _ => Cache.GetAsync(key),
        });
        if (known)
        {
            await JudgeAsync(key, value);
        }
    }

    public async Task GetManyAsync(IReadOnlyList<string> keys)
    {
        IReadOnlyDictionary<string, byte[]> found;
        try
        {
            found = await Cache.GetManyAsync(keys).AsTask().WaitAsync(s_tooLong);
        }
        catch (DiskCacheUnavailableException)
        {
            JudgeUnavailable(keys.FirstOrDefault(_run.IsRetained) ?? keys[0]);
            return;
        }

        foreach (string key in keys.Distinct(StringComparer.Ordinal))
        {
            await JudgeAsync(key, found.GetValueOrDefault(key));
        }
    }

    public async Task RefreshAsync(string key, bool isSync)
    {
        await (isSync ? Run(() => Cache.Refresh(key)) : Cache.RefreshAsync(key)).WaitAsync(s_tooLong);
        _run.Truth = _run.Truth.IsAlive(key, Now) ? _run.Truth.Use(key, Now) : _run.Truth;
    }

    /// <summary>The disk holds back what it has read while something changes. Old or new is right then; afterwards only new is.</summary>
    public async Task GetLateAsync(string key, Func<Task> changeAsync)
    {
        // What the lane has to write it reads back, which must not be what is held: then the change would wait for itself.
        await StepAsync(ModelAct.Drain);
        var gate = Files.HoldDoneReads(TierScene.Segments, times: 1);
        var read = AnswerAsync(key, () => Cache.GetAsync(key));
        try
        {
            await Task.WhenAny(read, gate.Reached).WaitAsync(s_tooLong);
            if (read.IsCompleted)
            {
                var (isKnown, atOnce) = await read;
                if (isKnown)
                {
                    await JudgeAsync(key, atOnce);
                }

                return;
            }

            var before = _run.Truth.Use(key, Now);
            await changeAsync();
            gate.Open();
            var (known, value) = await read;
            _run.LateReads++;
            if (known && value is not null && before.Judge(key, value, Now, mustBeThere: false) is not null)
            {
                await JudgeAsync(key, value);
            }
        }
        finally
        {
            gate.Open();
        }

        await GetAsync(key, form: 3);
    }

    /// <summary>The disk holds back the write of a value until something else was asked for, which comes after it: only that is right then.</summary>
    public async Task SetLateAsync(string key, int length, string[] tags, Func<Task> changeAsync)
    {
        var options = new DistributedCacheEntryOptions();
        var stored = SetIn(_run.Truth, key, length, tags, options);
        var gate = Files.Hold(FileOperation.Write, TierScene.Segments, times: 1);
        var set = Cache.SetAsync(key, stored.ValueOf(key), options, tags, default);
        try
        {
            await Task.WhenAny(set, gate.Reached).WaitAsync(s_tooLong);
            _run.Truth = stored;
            Own(key);
            var change = changeAsync();
            gate.Open();
            await set.WaitAsync(s_tooLong);
            await change;
        }
        finally
        {
            gate.Open();
        }

        await GetAsync(key, form: 3);
    }

    /// <summary>Everything on the list is alive and as it was set; where all has to be there, all is on it.</summary>
    public async Task ListAsync()
    {
        var listed = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var entry in Cache.ListAsync())
        {
            listed.Add(entry.Key);
            if (!_run.Truth.IsAlive(entry.Key, Now))
            {
                _run.Violate($"'{entry.Key}' is listed and is gone");
            }
            else if (entry.ValueBytes != _run.Truth.ValueOf(entry.Key).Length || !entry.Tags.SequenceEqual(_run.Truth.TagsOf(entry.Key)))
            {
                _run.Violate($"'{entry.Key}' is listed as {entry.ValueBytes} bytes with {entry.Tags.Count} tags");
            }
        }

        foreach (string key in _sure.Where(key => _run.Settings.IsRoomy && _run.Truth.IsSurelyAlive(key, Now) && !listed.Contains(key)))
        {
            _run.Violate($"'{key}' is not listed");
        }
    }

    public async Task CheckAsync()
    {
        foreach (string key in ModelRun.Keys)
        {
            await GetAsync(key, form: 3);
        }
    }

    public Task StepAsync(ModelAct act) => (act switch
    {
        ModelAct.Heartbeat => HeartbeatAsync(),
        ModelAct.Probe => Cache.Tiers.ProbeOnceAsync(),
        ModelAct.Recover => Cache.Tiers.RecoverOnceAsync(),
        ModelAct.Trust => Cache.Tiers.TrustOnceAsync(),
        _ => Cache.DrainAsync(),
    }).WaitAsync(s_tooLong);

    /// <summary>With a disk that is well the store has seen the time then, and so has every process after this one.</summary>
    private async Task HeartbeatAsync()
    {
        long now = Now;
        bool isWell = !IsStruck && IsBack;
        await Cache.Tiers.HeartbeatOnceAsync();
        _run.Truth = isWell && IsBack ? _run.Truth.Bury(now) : _run.Truth;
    }

    /// <summary>The disk is well again, and nobody has noticed yet.</summary>
    public void HealDisk()
    {
        Files.Heal();
        Files.FreeBytes = null;
    }

    /// <summary>The disk is well again: within a few rounds of what the monitor does it is used again.</summary>
    public async Task HealAsync()
    {
        const int Rounds = 3;
        HealDisk();
        _run.Protector?.Away = null;
        for (int round = 0; round < Rounds && (round == 0 || !IsBack); round++)
        {
            _run.Time.Advance(BreakDuration + TimeSpan.FromSeconds(1));
            foreach (var act in (ModelAct[])[ModelAct.Heartbeat, ModelAct.Probe, ModelAct.Recover, ModelAct.Drain, ModelAct.Trust])
            {
                await StepAsync(act);
            }
        }

        if (!IsBack)
        {
            var status = Cache.GetStatus();
            _run.Violate($"the disk is not used again: {status.Mode}, {status.OwedWrites} owed, {status.Reason}, {status.LastFault}");
        }

        IsStruck = false;
    }

    public ValueTask DisposeAsync() => Cache.DisposeAsync();

    private static Task Run(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    private Truth SetIn(Truth truth, string key, int length, string[] tags, DistributedCacheEntryOptions options)
    {
        long absolute = options.AbsoluteExpiration?.UtcTicks ?? Expiry.Never;
        absolute = options.AbsoluteExpirationRelativeToNow is { } lifetime ? Math.Min(absolute, Now + lifetime.Ticks) : absolute;
        return truth.Set(key, length, tags, new Expiry(absolute, options.SlidingExpiration?.Ticks ?? 0), Now);
    }

    private void Own(string key)
    {
        if (!_mayForgetAll)
        {
            _own.Add(key);
            _sure.Add(key);
        }
    }

    private async Task MutateAsync(Truth truth, Func<Task> mutateAsync)
    {
        await mutateAsync().WaitAsync(s_tooLong);
        _run.Truth = truth;
    }

    private async Task<(bool IsKnown, byte[]? Value)> AnswerAsync(string key, Func<Task<byte[]?>> readAsync)
    {
        try
        {
            return (true, await readAsync().WaitAsync(s_tooLong));
        }
        catch (DiskCacheUnavailableException)
        {
            JudgeUnavailable(key);
            return (false, null);
        }
    }

    private byte[]? TryGet(string key)
    {
        var writer = new ArrayBufferWriter<byte>();
        return Cache.TryGet(key, writer) ? writer.WrittenSpan.ToArray() : null;
    }

    private async Task<byte[]?> TryGetAsync(string key)
    {
        var writer = new ArrayBufferWriter<byte>();
        return await Cache.TryGetAsync(key, writer) ? writer.WrittenSpan.ToArray() : null;
    }

    /// <summary>Only what must be known is refused, and only by a disk that may be in trouble.</summary>
    private void JudgeUnavailable(string key)
    {
        if (!WasStruck || !(_run.IsRetained(key) || _run.Settings.OnUnknown == UnknownRead.Throw))
        {
            _run.Violate($"'{key}' is said to be unavailable");
        }
    }

    private async Task JudgeAsync(string key, byte[]? found)
    {
        long now = Now;
        bool mustBeThere = _run.Settings.IsRoomy && _sure.Contains(key);
        _run.Saw(now);
        bool isSurelyAlive = _run.Truth.IsSurelyAlive(key, now);
        if (_run.Truth.Judge(key, found, now, mustBeThere) is { } violation)
        {
            _run.Violate(violation);
        }

        _run.Count(isSurelyAlive, isHit: found is not null, mustBeThere);
        if (found is not null)
        {
            _run.Truth = _run.Truth.Use(key, now);
        }
        else if (_run.IsRetained(key) && _run.Truth.IsSurelyAlive(key, _run.LatestTicks))
        {
            await CheckNothingOutlivesAsync(key);
        }
    }

    /// <summary>A value that is retained is forgotten only together with everything that is older: it may have been invalidated by it.</summary>
    private async Task CheckNothingOutlivesAsync(string lost)
    {
        foreach (string key in _run.Truth.OlderThan(lost).Where(key => !_run.IsRetained(key)))
        {
            var (known, value) = await AnswerAsync(key, () => Cache.GetAsync(key));
            if (known && value is not null)
            {
                _run.Violate($"'{key}' outlives '{lost}', which is retained and newer");
            }
        }
    }
}
