using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>A value that was refused because others had the room for a moment: memory has it, and it is written once there is room.</summary>
public sealed class RefusedForRoomTests : IAsyncDisposable
{
    private const int MinFree = 64 << 10;

    private readonly TierScene _scene = new();
    private readonly SmallDisk _disk;

    public RefusedForRoomTests()
    {
        _scene.Options.MaxDiskBytes = 64 << 20;
        _scene.Options.MaxMemoryBytes = 4 << 20;
        _scene.Options.MinFreeDiskBytes = MinFree;
        _disk = new SmallDisk(_scene.Files, () => Path.Combine(_scene.Options.Directory!, "diskcache-v1"), MinFree + (2 << 20));
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when only a probe noticed that there was no room, and came too late.
    [Fact]
    public async Task A_value_for_which_there_was_no_room_for_a_moment_is_written_once_there_is()
    {
        await _scene.OpenAsync();
        await _scene.Set("small", "s");
        _disk.LetOthersHave(long.MaxValue);

        // Acknowledged; there is room for its removal only.
        string large = new('v', 300_000);
        await _scene.Set("large", large);
        Assert.Equal(0, _scene.Cache.GetStatus().OwedWrites);
        Assert.Equal(large, await _scene.Get("large"));

        // Others give it back before anybody has looked.
        _disk.LetOthersHave(0);
        for (int i = 0; i < 5; i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Cache.ProbeOnceAsync();
            await _scene.Cache.DrainAsync();
        }

        Assert.Equal(large, await _scene.Get("large"));
        await _scene.ReopenClosedAsync();

        Assert.Equal("s", await _scene.Get("small"));
        Assert.Equal(large, await _scene.Get("large"));
    }
}
