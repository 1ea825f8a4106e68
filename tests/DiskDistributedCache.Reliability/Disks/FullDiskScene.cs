using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Reliability.Disks;

/// <summary>A cache on a disk that is filled and freed, and what it has acknowledged. One caller, so the last version of a key is its truth.</summary>
internal sealed class FullDiskScene(SmallDisk disk, Random random) : IAsyncDisposable
{
    private const int KeyCount = 400;
    private const int Fresh = 20;
    private const int Steps = 200;
    private const int HealSeconds = 90;
    private static readonly DistributedCacheEntryOptions s_noLimit = new();

    private readonly Dictionary<int, int> _current = [];
    private readonly DiskDistributedCacheOptions _options = OptionsFor(disk);
    private readonly EventTrail _trail = new();
    private DiskCache? _cache;
    private int _lastVersion;
    private string? _wrong;

    public FullDiskFigures Figures { get; } = new();

    /// <summary>Fills the disk, works, frees it, works, and restarts now and then. Tells what was wrong.</summary>
    public async Task<string?> OscillateAsync()
    {
        _cache ??= await OpenAsync();
        _trail.Add("the disk is filled");
        disk.Fill();
        int serves = 0;
        for (int step = 0; step < Steps; step++)
        {
            serves += await StepAsync(refill: step % 10 == 0);
        }

        Note();
        if (random.Next(4) == 0)
        {
            // While it is full: whatever comes of it has to be right.
            await CloseAsync();
            _cache = await OpenAsync(waits: false);
            await ReadAllAsync();
        }

        _trail.Add("the disk is freed");
        disk.Free();
        Figures.Repairs += await disk.RepairAsync() ? 1 : 0;
        if (serves < 0)
        {
            _wrong ??= "memory did not serve what was just stored while the disk was full";
        }

        return _wrong ?? await ProveAsync();
    }

    /// <summary>Keeps what the disk has, what others have filled it with left out, and what came before.</summary>
    public void Keep(string folder)
    {
        _trail.Keep(folder);
        FolderCopy.AsFarAsPossible(_options.Directory!, Path.Combine(folder, "store"));
        FolderCopy.AsFarAsPossible(_options.WitnessDirectory!, Path.Combine(folder, "witnesses"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_cache is not null)
        {
            await _cache.DisposeAsync();
        }

        Directory.Delete(_options.WitnessDirectory!, recursive: true);
        _trail.Dispose();
    }

    /// <summary>It recovers by itself, and what is stored from then on is kept.</summary>
    private async Task<string?> ProveAsync()
    {
        for (int step = 0; step < Steps / 4; step++)
        {
            await StepAsync(refill: false);
        }

        if (!await HealedAsync())
        {
            return $"it did not recover in {HealSeconds} s: {Describe()}";
        }

        // Until the next probe a cache may take no more than it had when the disk was full, which may have been next to nothing.
        await _cache!.Tiers.ProbeOnceAsync();
        int[] fresh = [.. Enumerable.Range(0, Fresh).Select(_ => random.Next(KeyCount))];
        foreach (int key in fresh)
        {
            await SetAsync(key);
        }

        if (!await HealedAsync())
        {
            return $"it did not write what was stored after the recovery in {HealSeconds} s: {Describe()}";
        }

        await CloseAsync();
        _cache = await OpenAsync();
        bool isLastFound = false;
        foreach (int key in fresh)
        {
            isLastFound = await ReadAsync(key);
            Figures.Kept += isLastFound ? 1 : 0;
            Figures.Stored++;
        }

        await ReadAllAsync();
        Figures.Oscillations++;
        return _wrong ?? (isLastFound ? null : $"what was stored last after the recovery is gone after the restart: {Describe()}");
    }

    /// <returns>1 when what was just stored is served, -1 when it is not, 0 where nothing was stored.</returns>
    private async Task<int> StepAsync(bool refill)
    {
        int key = random.Next(KeyCount);
        switch (random.Next(10))
        {
            case < 3:
                await SetAsync(key);
                if (refill)
                {
                    disk.Fill();
                }

                return await ReadAsync(key) ? 1 : -1;
            case 3:
                await _cache!.RemoveAsync(NameOf(key));
                _trail.Add($"removed {key}");
                _current.Remove(key);
                return 0;
            default:
                await ReadAsync(key);
                return 0;
        }
    }

    private async Task SetAsync(int key)
    {
        int version = ++_lastVersion;
        await _cache!.SetAsync(NameOf(key), PatternedValue.Of(key, version, random.Next(100, 8_000)), s_noLimit);
        _current[key] = version;
        _trail.Add($"set {key}: version {version}");
    }

    private async Task<bool> ReadAsync(int key)
    {
        byte[]? value = await _cache!.GetAsync(NameOf(key));
        Figures.Reads++;
        if (value is null)
        {
            return false;
        }

        Figures.Hits++;
        int version = PatternedValue.VersionOf(key, value);
        _trail.Add($"read {key}: version {version}");
        if (version <= 0 || version != _current.GetValueOrDefault(key))
        {
            _wrong ??= $"version {version} of key {key} was read, it is at {_current.GetValueOrDefault(key)}; {Describe()}";
        }

        return true;
    }

    private async Task ReadAllAsync()
    {
        for (int key = 0; key < KeyCount; key++)
        {
            await ReadAsync(key);
        }
    }

    private async Task<DiskCache> OpenAsync(bool waits = true)
    {
        var cache = new DiskCache(_options, loggerFactory: _trail);
        await cache.GetAsync("the first use opens it");
        if (waits)
        {
            await UntilAsync(() => cache.GetStatus().Mode == DiskCacheMode.Normal);
        }

        return cache;
    }

    private async Task CloseAsync()
    {
        await _cache!.DisposeAsync();
        Figures.Restarts++;
    }

    private Task<bool> HealedAsync() => UntilAsync(() => _cache!.GetStatus() is { Mode: DiskCacheMode.Normal, OwedWrites: 0 });

    private static async Task<bool> UntilAsync(Func<bool> isSo)
    {
        long deadline = Environment.TickCount64 + (HealSeconds * 1000);
        while (!isSo() && Environment.TickCount64 < deadline)
        {
            await Task.Delay(10);
        }

        return isSo();
    }

    private void Note()
    {
        var status = _cache!.GetStatus();
        Figures.Modes[(int)status.Mode]++;
        Figures.MaxOwed = Math.Max(Figures.MaxOwed, status.OwedWrites);
    }

    private string Describe()
    {
        var status = _cache!.GetStatus();
        return $"mode {status.Mode} ({status.Reason}), {status.OwedWrites} owed, {status.DiskBytes} bytes on disk, {status.DiskErrors} errors, last fault: {status.LastFault ?? "none"}";
    }

    private static string NameOf(int key) => $"key {key}";

    private static DiskDistributedCacheOptions OptionsFor(SmallDisk disk) => new()
    {
        Directory = Path.Combine(disk.Folder, "cache"),
        WitnessDirectory = Directory.CreateTempSubdirectory("diskcache-full-").FullName,
        MaxDiskBytes = 4 << 20,
        SegmentBytes = 256 << 10,
        MinFreeDiskBytes = 256 << 10,
        MaxMemoryBytes = 512 << 10,
        IoTimeout = TimeSpan.FromMilliseconds(900),
        BreakDuration = TimeSpan.FromSeconds(1),
        HealthCheckInterval = TimeSpan.FromSeconds(1),
        RecoveryInterval = TimeSpan.FromSeconds(1),
        HeartbeatInterval = TimeSpan.FromMilliseconds(100),
    };
}

/// <summary>What was seen on one kind of disk.</summary>
internal sealed class FullDiskFigures
{
    public int Oscillations { get; set; }

    public int Reads { get; set; }

    public int Hits { get; set; }

    /// <summary>How many entries were stored right after a recovery, before a restart,</summary>
    public int Stored { get; set; }

    /// <summary>and how many of them were there after it.</summary>
    public int Kept { get; set; }

    public int Restarts { get; set; }

    public int Repairs { get; set; }

    public long MaxOwed { get; set; }

    /// <summary>In which mode the cache was at the end of how many fillings.</summary>
    public int[] Modes { get; } = new int[Enum.GetValues<DiskCacheMode>().Length];

    public override string ToString()
    {
        string modes = string.Join(", ", Enum.GetValues<DiskCacheMode>().Where(mode => Modes[(int)mode] > 0).Select(mode => $"{mode} {Modes[(int)mode]}"));
        return $"{Oscillations} oscillations, {Hits} hits in {Reads} reads, {Restarts} restarts, after which {Kept} of {Stored} just stored were there, at most {MaxOwed} owed, "
            + $"mode when full: {modes}{(Repairs > 0 ? $", the file system had to be mounted anew {Repairs} times" : "")}";
    }
}
