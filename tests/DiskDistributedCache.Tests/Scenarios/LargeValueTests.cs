using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Values that memory keeps in pieces, through everything that is done to a value on its way to the disk and back.</summary>
public sealed class LargeValueTests : IAsyncDisposable
{
    private const int ValueBytes = 300_001;

    private readonly TierScene _scene = new();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Theory]
    [InlineData(DiskCacheCompression.None, false)]
    [InlineData(DiskCacheCompression.None, true)]
    [InlineData(DiskCacheCompression.GZip, false)]
    [InlineData(DiskCacheCompression.GZip, true)]
    [InlineData(DiskCacheCompression.Brotli, false)]
    [InlineData(DiskCacheCompression.Brotli, true)]
    public async Task A_large_value_comes_back_from_memory_and_from_the_disk(DiskCacheCompression compression, bool isProtected)
    {
        _scene.Options.Compression = compression;
        _scene.Options.UseProtector(isProtected ? new TestProtector() : null);
        await _scene.OpenAsync();
        byte[] random = new byte[ValueBytes];
        new Random(1).NextBytes(random);
        byte[] even = [.. Enumerable.Range(0, ValueBytes).Select(i => (byte)(i / 1000))];
        await SetAsync("random", random);
        await SetAsync("even", even);

        await CheckAsync(DiskCacheTier.Memory);
        await _scene.ReopenClosedAsync();
        await CheckAsync(DiskCacheTier.Disk);

        // Promoted, and in pieces again.
        await CheckAsync(DiskCacheTier.Memory);

        async Task CheckAsync(DiskCacheTier tier)
        {
            foreach (var (key, value) in ((string, byte[])[])[("random", random), ("even", even)])
            {
                var found = await _scene.Look(key);
                Assert.Equal((tier, 5), (found.Tier, found.Entry!.Value.PieceCount));
                Assert.Equal(value, found.Entry.Value.ToArray());
            }
        }
    }

    private ValueTask SetAsync(string key, byte[] value) => _scene.Cache.Set(
        new CacheEntry(TierScene.KeyOf(key), EntryValue.CopyOf(value), [], Expiry.None, Expiry.Never)).AsValueTask();
}
