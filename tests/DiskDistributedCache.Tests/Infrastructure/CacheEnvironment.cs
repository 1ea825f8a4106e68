using System.IO.Abstractions;
using System.IO.Abstractions.TestingHelpers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A cache and what it stands on: a clock that only tests move, a file system, a directory of its own. The segments are
/// small, so that tests cross their borders; the I/O timeout is long, so that a slow machine makes no test miss.
/// </summary>
public abstract class CacheEnvironment : IAsyncDisposable
{
    private DiskCache? _cache;

    public TestClock Time { get; } = new();

    public DiskDistributedCacheOptions Options { get; } = new()
    {
        SegmentBytes = 64 << 10,
        MaxDiskBytes = 16 << 20,
        MaxMemoryBytes = 16 << 20,
        MaxEntryBytes = 4 << 20,
        IoTimeout = TimeSpan.FromMinutes(1),
        BreakDuration = TimeSpan.FromMinutes(5),
    };

    public DiskCache Cache => _cache ?? throw new InvalidOperationException("The environment is not open.");

    public abstract IFileSystem FileSystem { get; }

    /// <summary>A cache over this environment that nobody has used or opened.</summary>
    public DiskCache CreateCache() => new(Options, FileSystem, Time);

    /// <summary>Creates the cache and waits until its store is open.</summary>
    public async Task OpenAsync()
    {
        _cache = CreateCache();
        await _cache.StartAsync();
    }

    /// <summary>Closes the cache as a process does that ends in order, and opens its directory again.</summary>
    public async Task RestartAsync()
    {
        await Cache.DisposeAsync();
        await OpenAsync();
    }

    /// <summary>What happens in this environment to values that were written and are to be read.</summary>
    public virtual Task BetweenWriteAndReadAsync() => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_cache is not null)
        {
            await _cache.DisposeAsync();
        }

        DeleteFiles();
        GC.SuppressFinalize(this);
    }

    protected abstract void DeleteFiles();
}

/// <summary>Both tiers over a real directory.</summary>
public class NormalStore : CacheEnvironment
{
    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-test-").FullName;

    public NormalStore() => (Options.Directory, Options.WitnessDirectory) = (_directory, WitnessFolder.Path);

    public override IFileSystem FileSystem { get; } = new FileSystem();

    protected override void DeleteFiles() => Directory.Delete(_directory, recursive: true);
}

/// <summary>No memory tier: every value that is read has been on disk.</summary>
public sealed class ColdMemory : NormalStore
{
    public ColdMemory() => Options.MaxMemoryBytes = 0;
}

/// <summary>Every value that is read was written by an earlier process.</summary>
public sealed class Restarted : NormalStore
{
    public override Task BetweenWriteAndReadAsync() => RestartAsync();
}

/// <summary>A file system without handles, as an application may register one. No memory tier, so that it is really read.</summary>
public sealed class OverMockFileSystem : CacheEnvironment
{
    public OverMockFileSystem()
    {
        Options.MaxMemoryBytes = 0;
        Options.Directory = FileSystem.Path.GetFullPath("cache");
        FileSystem.Directory.CreateDirectory(Options.Directory);
    }

    public override IFileSystem FileSystem { get; } = new MockFileSystem();

    protected override void DeleteFiles()
    {
        // Its files are gone with the object.
    }
}
