using System.Text;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// Both tiers over a file system with faults and a clock that only the test moves. The I/O timeout is long, so that nothing is late
/// but what the test makes late. A killed process leaves an image of its directory; the process itself is closed at the end.
/// </summary>
internal sealed class TierScene : IAsyncDisposable
{
    public const string Segments = ".seg";
    public const string Superblock = "superblock";

    private readonly List<(TieredCache Cache, FaultyFileSystem Files)> _killed = [];
    private readonly List<string> _roots = [];
    private TieredCache? _cache;

    public TierScene() => Options = new()
    {
        Directory = NewRoot(),
        SegmentBytes = 64 << 10,
        MaxDiskBytes = 1 << 20,
        MaxMemoryBytes = 1 << 20,
        WitnessDirectory = WitnessFolder.Path,
        IoTimeout = TimeSpan.FromMinutes(1),
        BreakDuration = TimeSpan.FromMinutes(5),
    };

    public DiskDistributedCacheOptions Options { get; }

    /// <summary>Where the present process keeps its witness.</summary>
    public string Witness => WitnessFolder.WitnessOf(Options.Directory!);

    /// <summary>The cache's own folder.</summary>
    public string Folder => Path.Combine(Options.Directory!, "diskcache-v1");

    public DiskCacheMode Mode => Cache.GetStatus().Mode;

    public TestClock Time { get; } = new();

    /// <summary>The files as the present process sees them; a killed one has its own.</summary>
    public FaultyFileSystem Files { get; private set; } = new();

    public CollectedLog Log { get; } = new();

    /// <summary>Where the caches are measured, if a test wants to know.</summary>
    public CollectedMeter? Meter { get; init; }

    /// <summary>The name of the caches.</summary>
    public string Name { get; init; } = CacheMetrics.DefaultName;

    public TieredCache Cache => _cache ?? throw new InvalidOperationException("The cache is not open.");

    /// <summary>A cache that nobody has opened.</summary>
    public TieredCache Create() => _cache = new TieredCache(Options, Files, Time, Log, new CacheMetrics(Meter, Name));

    public async Task<TierScene> OpenAsync()
    {
        await Create().StartAsync();
        return this;
    }

    public async Task CloseAsync()
    {
        await Cache.DisposeAsync();
        _cache = null;
    }

    public async Task ReopenClosedAsync()
    {
        await CloseAsync();
        await OpenAsync();
    }

    /// <summary>The same, once everything that was owed is written and the store may be trusted again.</summary>
    public async Task ReopenKilledWhenTrustedAsync()
    {
        await Cache.DrainAsync();
        await Cache.TrustOnceAsync();
        await ReopenKilledAsync();
    }

    /// <summary>Goes on with an image of the directory, as a new process after a kill.</summary>
    public async Task ReopenKilledAsync()
    {
        LeaveKilled();
        await OpenAsync();
    }

    /// <summary>Takes the image that a kill at this moment leaves; the next cache is made over it.</summary>
    public void LeaveKilled()
    {
        string image = NewRoot();
        WitnessFolder.Copy(Options.Directory!, image);
        CopyFolder(Options.Directory!, image);
        _killed.Add((Cache, Files));
        _cache = null;
        Files = new FaultyFileSystem();
        Options.Directory = image;
    }

    /// <summary>The disk has become read-only, and the cache has noticed: it works from memory until it recovers.</summary>
    public async Task LoseDiskAsync()
    {
        Files.Fail(FileOperation.Write, error: DiskError.ReadOnlyFileSystem);
        await Set("noticed", "v");
        Assert.Equal(DiskCacheMode.MemoryOnly, Mode);
    }

    /// <summary>The disk is well again, and the cache has it back.</summary>
    public async Task RegainDiskAsync()
    {
        Files.Heal();
        await Cache.RecoverOnceAsync();
        for (int i = 0; i < 1000 && Mode != DiskCacheMode.Normal; i++)
        {
            // A read that hung has to return first, on a thread of its own.
            await Task.Yield();
            await Cache.RecoverOnceAsync();
        }

        Assert.Equal(DiskCacheMode.Normal, Mode);
    }

    public ValueTask Set(string key, string value, string[]? tags = null, Expiry? expiry = null)
    {
        var moments = expiry ?? Expiry.None;
        var entry = new CacheEntry(
            KeyOf(key), Encoding.UTF8.GetBytes(value), tags ?? [], moments, moments.DeadlineFrom(Cache.Clock.NowTicks));
        return Cache.Set(entry).AsValueTask();
    }

    public ValueTask Remove(string key) => Cache.Remove(KeyOf(key)).AsValueTask();

    public ValueTask Evict(string tag) => Cache.EvictByTag(tag).AsValueTask();

    public ValueTask Clear() => Cache.Clear().AsValueTask();

    public async Task<string?> Get(string key) =>
        (await Cache.GetAsync(KeyOf(key))).Entry is { } entry ? Encoding.UTF8.GetString(entry.Value.ToArray()) : null;

    /// <summary>The same on a disk that is slow: asked again until it has answered.</summary>
    public async Task<string?> GetOnceTheDiskAnswersAsync(string key)
    {
        Lookup lookup;
        do
        {
            lookup = await Look(key);
        }
        while (lookup.Outcome == LookupOutcome.Unknown);

        return lookup.Entry is { } entry ? Encoding.UTF8.GetString(entry.Value.ToArray()) : null;
    }

    public Task<Lookup> Look(string key) => Cache.GetAsync(KeyOf(key)).AsTask();

    public static CacheKey KeyOf(string key) => new(KeySpace.Data, key);

    public async ValueTask DisposeAsync()
    {
        Files.Heal();
        if (_cache is not null)
        {
            await _cache.DisposeAsync();
        }

        foreach (var (cache, files) in _killed)
        {
            files.Heal();
            await cache.DisposeAsync();
        }

        _roots.ForEach(root => Directory.Delete(root, recursive: true));
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            if (file.EndsWith(".lock", StringComparison.Ordinal))
            {
                // The killed process still holds it here. Nobody holds the copy, and there is nothing in it.
                File.Create(copy).Dispose();
            }
            else
            {
                CopyFile(file, copy);
            }
        }
    }

    private static void CopyFile(string from, string to)
    {
        try
        {
            File.Copy(from, to);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // A process that works in the background has erased it since the folder was listed.
        }
    }

    private string NewRoot()
    {
        string root = Directory.CreateTempSubdirectory("diskcache-test-").FullName;
        _roots.Add(root);
        return root;
    }
}
