using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>A full disk under the whole cache: nobody notices more than that older entries are gone.</summary>
public sealed class DiskFullCacheTests : IAsyncDisposable
{
    private const int MinFree = 64 << 10;
    private const int KeyCount = 50;

    private readonly TierScene _scene = new();
    private readonly SmallDisk _disk;

    public DiskFullCacheTests()
    {
        _scene.Options.MaxDiskBytes = 64 << 20;
        _scene.Options.MaxMemoryBytes = 64 << 10;
        _scene.Options.MinFreeDiskBytes = MinFree;
        _disk = new SmallDisk(_scene.Files, () => Path.Combine(_scene.Options.Directory!, "diskcache-v1"), MinFree + (512 << 10));
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when the free bytes were not asked for.
    [Fact]
    public async Task Values_go_on_being_stored_removed_and_served_on_a_full_disk_and_no_error_is_counted()
    {
        await _scene.OpenAsync();

        await WorkAsync(1_000);

        Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
        Assert.InRange(_scene.Cache.GetStatus().Entries, KeyCount / 2, KeyCount);
        AssertUntroubled();
    }

    [Fact]
    public async Task A_disk_that_others_fill_to_the_last_byte_again_and_again_costs_entries_only()
    {
        await _scene.OpenAsync();
        for (int cycle = 0; cycle < 10; cycle++)
        {
            _disk.LetOthersHave(cycle % 2 == 0 ? 0 : long.MaxValue);
            await WorkAsync(200);
        }

        AssertUntroubled();
        _disk.LetOthersHave(long.MaxValue);
        await _scene.ReopenClosedAsync();
        await WorkAsync(200);
        AssertUntroubled();
    }

    [Fact]
    public async Task What_was_removed_on_a_full_disk_stays_gone_after_a_kill()
    {
        await _scene.OpenAsync();
        await WorkAsync(500);
        for (int i = 0; i < KeyCount; i += 2)
        {
            await _scene.Remove($"k{i}");
        }

        await _scene.ReopenKilledAsync();

        for (int i = 0; i < KeyCount; i += 2)
        {
            Assert.Null(await _scene.Get($"k{i}"));
        }
    }

    // Seen to fail when a probe that found room again did not write back what is in memory only.
    [Fact]
    public async Task What_was_set_while_there_was_no_room_is_written_once_there_is()
    {
        await _scene.OpenAsync();
        _disk.LetOthersHave(long.MaxValue);
        await _scene.Cache.ProbeOnceAsync();
        for (int i = 0; i < 8; i++)
        {
            await _scene.Set($"k{i}", $"{i} {new string('v', 5_000)}");
        }

        _disk.LetOthersHave(0);
        await _scene.Cache.ProbeOnceAsync();
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.ReopenClosedAsync();

        for (int i = 0; i < 8; i++)
        {
            Assert.Equal($"{i} {new string('v', 5_000)}", await _scene.Get($"k{i}"));
        }
    }

    /// <summary>Sets, reads and removes; whatever is read is the newest version.</summary>
    private async Task WorkAsync(int count)
    {
        var newest = new Dictionary<string, string?>();
        for (int i = 0; i < count; i++)
        {
            string key = $"k{i * 7 % KeyCount}";
            newest[key] = i % 9 == 0 ? null : $"{i} {new string('v', 500 * (i % 20))}";
            if (newest[key] is { } value)
            {
                await _scene.Set(key, value);
                Assert.Equal(value, await _scene.Get(key));
            }
            else
            {
                await _scene.Remove(key);
                Assert.Null(await _scene.Get(key));
            }

            string other = $"k{i % KeyCount}";
            string? found = await _scene.Get(other);
            Assert.True(found is null || !newest.ContainsKey(other) || found == newest[other]);
        }
    }

    private void AssertUntroubled()
    {
        var status = _scene.Cache.GetStatus();
        Assert.Null(status.LastFault);
        Assert.Equal(0, status.DiskErrors);
        Assert.Equal(0, status.CorruptionErrors);
        Assert.Equal(0, status.OwedWrites);
    }
}
