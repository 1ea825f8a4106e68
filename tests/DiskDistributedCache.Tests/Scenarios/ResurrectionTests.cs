using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>
/// The ways, R1 to R12, in which caches are known to bring a dead value back. One test for each, through the whole cache where that shows
/// it; the rules behind them have tests of their own.
/// </summary>
public sealed class ResurrectionTests : IAsyncLifetime
{
    private static readonly string[] s_tags = ["t"];
    private readonly TierScene _scene = new();

    /// <summary>No memory tier: what is read comes from the disk.</summary>
    public async ValueTask InitializeAsync()
    {
        _scene.Options.MaxMemoryBytes = 0;
        await _scene.OpenAsync();
        await _scene.Set("overwritten", "old");
        await _scene.Set("removed", "old");
        await _scene.Set("evicted", "old", s_tags);
        await _scene.Set("alive", "v");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // R1. Seen to fail when a recovery forgot what was owed.
    [Fact]
    public async Task What_died_while_the_disk_was_away_stays_dead_when_it_comes_back()
    {
        await _scene.LoseDiskAsync();
        await KillValuesAsync();

        await _scene.RegainDiskAsync();

        await AssertDeadAsync();
        Assert.Equal("v", await _scene.Get("alive"));
        await _scene.ReopenClosedAsync();
        await AssertDeadAsync();
        Assert.Equal("v", await _scene.Get("alive"));
        Assert.Equal("new", await _scene.Get("overwritten"));
    }

    // R2. Seen to fail when the witness was left, and when a store that owed was closed clean.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_died_while_the_disk_was_away_stays_dead_when_the_process_ends_before_it_comes_back(bool isClosed)
    {
        await _scene.LoseDiskAsync();
        await KillValuesAsync();

        await EndAsync(isClosed);

        await AssertDeadAsync();
    }

    // R3. Seen to fail when a mutation that failed was forgotten, and when the witness was left.
    [Theory]
    [InlineData("remove", false)]
    [InlineData("overwrite", false)]
    [InlineData("evict", false)]
    [InlineData("remove", true)]
    [InlineData("overwrite", true)]
    [InlineData("evict", true)]
    public async Task An_invalidation_whose_single_write_failed_holds_after_a_kill(string how, bool isWrittenBefore)
    {
        string key = how == "remove" ? "removed" : how == "evict" ? "evicted" : "overwritten";
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await (how == "remove" ? _scene.Remove(key) : how == "evict" ? _scene.Evict("t") : _scene.Set(key, "new"));
        Assert.NotEqual("old", await _scene.Get(key));
        Assert.Equal(DiskCacheMode.Normal, _scene.Mode);
        if (isWrittenBefore)
        {
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.ReopenKilledWhenTrustedAsync();
            Assert.Equal("v", await _scene.Get("alive"));
        }
        else
        {
            await _scene.ReopenKilledAsync();
        }

        Assert.NotEqual("old", await _scene.Get(key));
    }

    // R4. Passes when the third oldest segment is erased before the oldest: the gap is a hole, and what is before it is dropped.
    [Fact]
    public void Removals_and_evictions_are_not_reclaimed_before_what_they_kill()
    {
        using var scene = new StoreScene();
        scene.Settings = scene.Settings with { MaxDiskBytes = 12 * scene.Settings.SegmentBytes };
        scene.Open();
        scene.Set("removed", "old");
        scene.Set("evicted", "old", s_tags);
        scene.MarkUsed("removed");
        scene.MarkUsed("evicted");
        scene.FillSegments(3);
        scene.Remove("removed");
        scene.Evict("t");
        for (int i = 0; i < 20; i++)
        {
            scene.FillSegments(1);
            scene.ReopenKilled();
            Assert.Null(scene.Read("removed"));
            Assert.Null(scene.Read("evicted"));
        }
    }

    // R5. Passes when a hole is passed over, too: the header of the newer version still verifies, and names it.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_older_version_does_not_come_back_when_the_newer_one_is_corrupt(bool isClosed)
    {
        await _scene.Set("overwritten", "the newer version");
        await _scene.Cache.HeartbeatOnceAsync();
        Flip("the newer version");
        Assert.Null(await _scene.Get("overwritten"));
        Assert.Equal(1, _scene.Cache.GetStatus().QuarantinedRecords);

        await EndAsync(isClosed);

        Assert.Null(await _scene.Get("overwritten"));
    }

    // R6. Seen to fail when a value that was given up left no removal.
    [Fact]
    public async Task An_older_version_does_not_come_back_when_the_newer_one_is_given_up_before_it_is_written()
    {
        // Room enough for the older version to stay in the log.
        _scene.Options.MaxDiskBytes = 64 << 20;
        await _scene.ReopenClosedAsync();
        await _scene.LoseDiskAsync();
        await _scene.Set("overwritten", "new");
        for (int i = 0; i < 10; i++)
        {
            await _scene.Set($"filler {i}", new string('f', 900_000));
        }

        Assert.NotEqual("old", await _scene.Get("overwritten"));
        await _scene.RegainDiskAsync();
        Assert.NotEqual("old", await _scene.Get("overwritten"));
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.NotEqual("old", await _scene.Get("overwritten"));
    }

    // R7. Seen to fail when a read was promoted without asking whether it is current.
    [Fact]
    public async Task Neither_a_read_under_way_nor_a_write_that_waits_brings_a_value_back_that_was_removed_meanwhile()
    {
        _scene.Options.MaxMemoryBytes = 1 << 20;
        _scene.Options.VerifyWrites = false;
        await _scene.ReopenClosedAsync();
        var reads = _scene.Files.HoldDoneReads(TierScene.Segments);
        var read = _scene.Get("removed");
        await reads.Reached;
        var writes = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        var blocker = _scene.Set("blocker", "v").AsTask();
        await writes.Reached;
        Task[] mutations = [_scene.Set("removed", "old").AsTask(), _scene.Remove("removed").AsTask()];

        reads.Open();
        await read;
        Assert.Null(await _scene.Get("removed"));
        writes.Open();
        await blocker;
        await Task.WhenAll(mutations);

        Assert.Null(await _scene.Get("removed"));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("removed"));
    }

    // R8. Seen to fail when the clock of a new process began at the wall clock.
    [Fact]
    public async Task An_expired_entry_stays_expired_when_the_clock_is_set_back()
    {
        long soon = _scene.Time.GetUtcNow().AddMinutes(10).UtcTicks;
        await _scene.Set("mortal", "old", expiry: new Expiry(soon, 0));
        await _scene.Set("sliding", "old", expiry: new Expiry(soon, TimeSpan.FromMinutes(8).Ticks));
        _scene.Time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal("old", await _scene.Get("sliding"));
        _scene.Time.Advance(TimeSpan.FromMinutes(6));
        Assert.Null(await _scene.Get("mortal"));
        Assert.Null(await _scene.Get("sliding"));
        await _scene.Cache.HeartbeatOnceAsync();

        _scene.Time.WallClockError = TimeSpan.FromMinutes(-20);
        await _scene.ReopenKilledAsync();

        Assert.Equal("v", await _scene.Get("alive"));
        Assert.Null(await _scene.Get("mortal"));
        Assert.Null(await _scene.Get("sliding"));
    }

    // R9. Seen to fail without the mark of the waiter.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_second_process_removed_stays_removed_whether_it_takes_over_or_ends(bool takesOver)
    {
        var second = new TieredCache(_scene.Options, new FaultyFileSystem(), _scene.Time, new CollectedLog());
        await second.StartAsync();
        await second.Remove(TierScene.KeyOf("removed")).AsValueTask();
        await _scene.CloseAsync();
        if (takesOver)
        {
            await second.RecoverOnceAsync();
            Assert.Equal(DiskCacheMode.Normal, second.GetStatus().Mode);
            Assert.Null((await second.GetAsync(TierScene.KeyOf("removed"))).Entry);
        }

        await second.DisposeAsync();
        await _scene.OpenAsync();

        Assert.Null(await _scene.Get("removed"));
    }

    // R10. Seen to fail when the checksums of all segments had the same seed.
    [Fact]
    public void What_an_erased_segment_held_is_not_taken_for_the_content_of_another_one()
    {
        using var scene = new StoreScene();
        scene.Settings = scene.Settings with { MaxDiskBytes = 12 * scene.Settings.SegmentBytes };
        scene.Open();
        scene.Set("removed", "old");
        byte[] before = File.ReadAllBytes(scene.SegmentFiles[^1].FullName);
        string erased = scene.SegmentFiles[^1].FullName;
        scene.Remove("removed");
        scene.FillSegments(14);
        Assert.False(File.Exists(erased));
        scene.Set("alive", "v");
        scene.Store.Heartbeat();
        scene.Kill();
        var image = StoreImage.Take(scene.Root);
        string active = image.Paths.Last(path => path.EndsWith(".seg", StringComparison.Ordinal));
        int end = (image[active].AsSpan().LastIndexOfAnyExcept((byte)0) + 8) & ~7;
        int key = before.AsSpan().IndexOf(Encoding.Unicode.GetBytes("removed")) & ~7;

        // As if the space behind the last record had been that of the older segment: its record, wherever it began. The store sees that
        // something is wrong with the segment, and may give it up.
        for (int back = 0; back <= 128; back += 8)
        {
            byte[] recycled = (byte[])image[active].Clone();
            before.AsSpan(key - back, 512).CopyTo(recycled.AsSpan(end));
            image.With(active, recycled).WriteTo(scene.Root);
            WitnessFolder.Vouch(scene.Root);

            scene.Open();
            Assert.Null(scene.Read("removed"));
            Assert.Equal("v", scene.Read("alive") ?? "v");
            scene.Kill();
        }
    }

    // R11. Seen to fail when the boot id was not compared.
    [Fact]
    public void A_power_cut_that_loses_a_removal_and_keeps_what_it_removed_is_followed_by_an_empty_store()
    {
        using var scene = new StoreScene();
        using var disk = scene.Files.TrackUnsynced(scene.Root);
        scene.Open();
        scene.Set("removed", "old");
        scene.Store.Sync(scene.Store.TakeUnsynced(all: true));
        scene.Remove("removed");
        scene.Store.Heartbeat();
        var image = disk.AfterPowerCut();
        scene.Kill();
        Directory.Delete(scene.Root, recursive: true);
        image.WriteTo(scene.Root);
        scene.Files.OverrideText("/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555");

        scene.Open();

        Assert.Null(scene.Read("removed"));
        Assert.Equal(0, scene.Index.Count);
    }

    // R12. Seen to fail when the key in the record was not compared.
    [Fact]
    public void A_key_that_has_the_hash_of_another_does_not_get_its_value()
    {
        using var scene = new StoreScene();
        scene.Open();
        scene.Set("k", "of k");
        var value = scene.AcceptValue("another", "of another");
        scene.Index.Remove(value.KeyHash, value.Sequence);
        value.KeyHash = scene.Store.HashOf(StoreScene.KeyOf("k"));
        scene.Index.SetPending(value.KeyHash, value.Sequence, Expiry.Never);
        scene.Append(value);

        Assert.Null(scene.Read("k"));
        scene.ReopenKilled();
        Assert.Null(scene.Read("k"));
        scene.Close();
        SuperblockSlots.Change(scene.Root, found => found with { HashSeed = found.HashSeed + 1 });
        scene.Open();
        Assert.Null(scene.Read("k"));
        Assert.NotEqual("of k", scene.Read("another"));
    }

    private async Task KillValuesAsync()
    {
        await _scene.Set("overwritten", "new");
        await _scene.Remove("removed");
        await _scene.Evict("t");
        await AssertDeadAsync();
    }

    private async Task AssertDeadAsync()
    {
        Assert.NotEqual("old", await _scene.Get("overwritten"));
        Assert.Null(await _scene.Get("removed"));
        Assert.Null(await _scene.Get("evicted"));
    }

    /// <summary>The process ends, and the next one has a disk that is well.</summary>
    private async Task EndAsync(bool isClosed)
    {
        if (!isClosed)
        {
            await _scene.ReopenKilledAsync();
            return;
        }

        await _scene.CloseAsync();
        _scene.Files.Heal();
        await _scene.OpenAsync();
    }

    private void Flip(string value)
    {
        byte[] text = Encoding.UTF8.GetBytes(value);
        string segment = Directory.GetFiles(_scene.Folder, "*.seg", SearchOption.AllDirectories)
            .Single(path => File.ReadAllBytes(path).AsSpan().IndexOf(text) >= 0);
        int at = File.ReadAllBytes(segment).AsSpan().IndexOf(text);
        using var file = new FileStream(segment, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = at;
        file.WriteByte((byte)(text[0] ^ 1));
    }
}
