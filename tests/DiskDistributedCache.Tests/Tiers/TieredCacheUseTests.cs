using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Tiers;

/// <summary>Rule 10 from above: what memory answers counts as used when the disk has to make room.</summary>
public sealed class TieredCacheUseTests : IAsyncDisposable
{
    private readonly TierScene _scene = new();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when memory did not tell what it evicts.
    [Fact]
    public async Task A_hit_in_memory_counts_when_the_entry_has_left_memory_before_the_disk_asks()
    {
        await OpenAsync(memoryBytes: 64 << 10);
        Assert.Equal("v", await _scene.Get("used"));
        await FillAsync("evicts", 128);
        Assert.True(_scene.Cache.GetStatus().MemoryBytes <= _scene.Options.MaxMemoryBytes);

        await FillAsync("reclaims", 1100);

        Assert.Equal("v", await _scene.Get("used"));
        Assert.Null(await _scene.Get("unused"));
    }

    // Seen to fail when memory was not asked, with memory large enough for the entry to stay there until the disk makes room.
    [Fact]
    public async Task A_hit_in_memory_counts_while_the_entry_is_there()
    {
        await OpenAsync(memoryBytes: 4 << 20);
        Assert.Equal("v", await _scene.Get("used"));

        await FillAsync("reclaims", 1100);
        await _scene.ReopenClosedAsync();

        Assert.Equal("v", await _scene.Get("used"));
        Assert.Null(await _scene.Get("unused"));
    }

    private async Task OpenAsync(long memoryBytes)
    {
        _scene.Options.MaxMemoryBytes = memoryBytes;
        await _scene.OpenAsync();
        await _scene.Set("used", "v");
        await _scene.Set("unused", "v");
    }

    /// <summary>Sets new keys with values of 1 KiB.</summary>
    private async Task FillAsync(string name, int count)
    {
        string value = new('x', 1 << 10);
        for (int i = 0; i < count; i++)
        {
            await _scene.Set($"{name} {i}", value);
        }
    }
}
