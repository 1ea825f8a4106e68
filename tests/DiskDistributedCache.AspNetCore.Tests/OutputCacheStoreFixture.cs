using DiskDistributedCache.AspNetCore;
using Microsoft.Extensions.Time.Testing;

namespace DiskDistributedCache.AspNetCore.Tests;

/// <summary>A cache in a directory of its own, with the output-cache store over it.</summary>
public sealed class OutputCacheStoreFixture : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("diskcache-output-test-").FullName;

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public DiskCache Cache { get; private set; } = null!;

    internal DiskOutputCacheStore Store { get; private set; } = null!;

    /// <summary>Null for the default.</summary>
    public long? MaxMemoryBytes { get; set; }

    public async Task OpenAsync()
    {
        var options = new DiskDistributedCacheOptions
        {
            Directory = _directory,
            MaxMemoryBytes = MaxMemoryBytes ?? new DiskDistributedCacheOptions().MaxMemoryBytes,
            MaxDiskBytes = 16 << 20,
            SegmentBytes = 64 << 10,
            IoTimeout = TimeSpan.FromSeconds(20),
        };
        Cache = new DiskCache(options, timeProvider: Time);
        Store = new DiskOutputCacheStore(Cache);
        await Cache.StartAsync();
    }

    public async Task RestartAsync()
    {
        await Cache.DisposeAsync();
        await OpenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Cache.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }
}
