using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>
/// Rule 21 and the lock: a store that is not this process's any more is noticed at the next heartbeat and given up for a new one; and as
/// long as anything of this process may still reach the disk, no other process gets the store.
/// </summary>
public sealed class LostStoreTests : IAsyncLifetime
{
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        await _scene.OpenAsync();
        await _scene.Set("kept", "v");
        await _scene.Set("removed", "v");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when a heartbeat looked at neither the lock nor the session.
    [Theory]
    [InlineData("the lock was deleted", "removed or replaced")]
    [InlineData("the lock is another file", "removed or replaced")]
    [InlineData("the folder was deleted", "removed or replaced")]
    [InlineData("the folder is another one", "removed or replaced")]
    [InlineData("another session", "Another process")]
    [InlineData("the superblock was deleted", "superblock was removed")]
    public async Task A_store_that_was_taken_away_is_noticed_and_begun_anew_with_everything_that_memory_holds(string how, string reason)
    {
        TakeAway(how);

        await _scene.Cache.HeartbeatOnceAsync();

        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        Assert.Contains(reason, _scene.Cache.GetStatus().Reason, StringComparison.Ordinal);
        await _scene.Set("during", "v");
        await _scene.Remove("removed");
        Assert.Equal("v", await _scene.Get("kept"));

        await _scene.Cache.RecoverOnceAsync();
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        await _scene.Set("after", "v");
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Equal("v", await _scene.Get("kept"));
        Assert.Equal("v", await _scene.Get("during"));
        Assert.Equal("v", await _scene.Get("after"));
        Assert.Null(await _scene.Get("removed"));
    }

    // Seen to fail when what waited was pending again in the new store and a removal that was written left the index as it was.
    [Fact]
    public async Task A_value_that_was_removed_while_it_was_owed_does_not_come_back_in_a_store_begun_anew()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("removed", "owed");
        Directory.Delete(_scene.Folder, recursive: true);
        await _scene.Remove("removed");
        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);

        await _scene.Cache.RecoverOnceAsync();

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Null(await _scene.Get("removed"));
        await _scene.ReopenClosedAsync();
        Assert.Null(await _scene.Get("removed"));
    }

    // Seen to fail when a file that cannot be erased counted as a fault of the disk, which was given up for it, and when nobody tried again.
    [Fact]
    public async Task What_cannot_be_erased_of_an_old_store_is_told_once_and_tried_again_with_each_heartbeat()
    {
        string old = Path.Combine(_scene.Folder, "segments", "00112233445566778899aabbccddeeff");
        Directory.CreateDirectory(old);
        File.WriteAllText(Path.Combine(old, "left"), "by another");
        await _scene.CloseAsync();
        var fault = _scene.Files.Fail(FileOperation.Delete, old, error: DiskError.AccessDenied);

        await _scene.OpenAsync();
        for (int i = 0; i < 5; i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Set("set meanwhile", "v");
        }

        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        Assert.Equal((1L, 1), (_scene.Cache.GetStatus().DiskErrors, _scene.Log.Count(19)));
        Assert.True(fault.StruckCount > 3);
        fault.Heal();
        for (int i = 0; i < 3; i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
        }

        Assert.False(Directory.Exists(old));
        Assert.Equal("v", await _scene.Get("kept"));
    }

    // Seen to fail when nothing but a recovery looked at the session.
    [Fact]
    public async Task The_session_is_looked_at_with_every_heartbeat_interval()
    {
        TakeAway("another session");
        var givenUp = _scene.Log.NextAsync(12);

        _scene.Time.Advance(_scene.Options.HeartbeatInterval);

        await givenUp;
    }

    // Seen to fail when a store that was lost was still closed as if it were one's own.
    [Fact]
    public async Task A_process_that_has_lost_its_store_does_not_write_to_that_of_another_when_it_closes()
    {
        TakeAway("another session");

        await _scene.CloseAsync();

        Assert.All(SuperblockSlots.Read(_scene.Options.Directory!), slot => Assert.False(slot.IsClean));
    }

    // Seen to fail when the withdrawn witness was thought to be enough for a store that is another's.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_owed_to_a_store_that_another_process_has_taken_makes_it_unbelievable(bool isOwedBefore)
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments);
        _scene.Files.Fail(FileOperation.Open, ".revoked");
        if (isOwedBefore)
        {
            await _scene.Remove("removed");
        }

        TakeAway("another session");
        await _scene.Cache.HeartbeatOnceAsync();
        Assert.Equal(DiskCacheMode.MemoryOnly, _scene.Mode);
        await _scene.Remove("removed");
        await _scene.Remove("another");
        WitnessFolder.Vouch(_scene.Options.Directory!);

        await _scene.ReopenKilledAsync();

        Assert.Null(await _scene.Get("removed"));
        Assert.Null(await _scene.Get("kept"));
    }

    // Seen to fail when the lock was let go at the end of the grace time.
    [Theory]
    [InlineData(FileOperation.Write)]
    [InlineData(FileOperation.Read)]
    [InlineData(FileOperation.Flush)]
    public async Task No_other_process_gets_the_store_while_an_operation_of_this_one_has_not_returned(object operation)
    {
        _scene.Options.MaxMemoryBytes = 0;
        _scene.Options.VerifyWrites = false;
        await _scene.ReopenClosedAsync();
        var gate = _scene.Files.Hold((FileOperation)operation, TierScene.Segments);
        var used = operation is FileOperation.Read ? _scene.Get("kept") : _scene.Set("new", "v").AsTask();
        var drained = operation is FileOperation.Flush ? _scene.Cache.DrainAsync() : Task.CompletedTask;
        await gate.Reached;
        _scene.Cache.CloseGrace = TimeSpan.FromMilliseconds(20);
        await _scene.CloseAsync();
        await used;

        await using var other = new TieredCache(_scene.Options, new FaultyFileSystem(), _scene.Time, new CollectedLog());
        await other.StartAsync();
        Assert.Equal(DiskCacheMode.MemoryOnly, other.GetStatus().Mode);
        Assert.Contains("cache.lock", other.GetStatus().Reason, StringComparison.Ordinal);

        gate.Open();
        do
        {
            await other.RecoverOnceAsync();
        }
        while (other.GetStatus().Mode != DiskCacheMode.Normal);
        await drained;
    }

    private void TakeAway(string how)
    {
        string lockFile = Path.Combine(_scene.Folder, "cache.lock");
        switch (how)
        {
            case "the lock was deleted":
                File.Delete(lockFile);
                break;
            case "the lock is another file":
                File.WriteAllText(lockFile + ".new", "");
                File.Move(lockFile + ".new", lockFile, overwrite: true);
                break;
            case "the folder was deleted":
                Directory.Delete(_scene.Folder, recursive: true);
                break;
            case "the folder is another one":
                Directory.Move(_scene.Folder, Path.Combine(_scene.Options.Directory!, "moved away"));
                Directory.CreateDirectory(_scene.Folder);
                File.WriteAllText(lockFile, "");
                break;
            case "another session":
                SuperblockSlots.Change(_scene.Options.Directory!, 1, found => found with { SessionId = Guid.NewGuid() });
                break;
            case "the superblock was deleted":
                File.Delete(Path.Combine(_scene.Folder, "superblock"));
                break;
        }
    }
}
