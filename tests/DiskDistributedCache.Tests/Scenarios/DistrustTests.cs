using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Rule 16: before something is acknowledged that is not on disk, the next process is told not to believe the store.</summary>
public sealed class DistrustTests : IAsyncLifetime
{
    private const string Witness = ".witness";
    private const string Revocation = ".revoked";
    private const string WaiterMark = "waiter-";
    private readonly TierScene _scene = new();

    public async ValueTask InitializeAsync()
    {
        await _scene.OpenAsync();
        await _scene.Set("k", "v0");
    }

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    // Seen to fail when the caller was let go first, and when the witness was left.
    [Fact]
    public async Task The_witness_is_gone_before_a_mutation_that_failed_is_acknowledged()
    {
        FailWrites();
        var gate = _scene.Files.Hold(FileOperation.Delete, Witness);
        var removal = _scene.Remove("k").AsTask();
        await gate.Reached;
        var second = _scene.Set("another", "v").AsTask();

        Assert.False(removal.IsCompleted);
        Assert.False(second.IsCompleted);
        Assert.True(File.Exists(_scene.Witness));
        Assert.Null(await _scene.Get("k"));

        gate.Open();
        await removal;
        await second;
        Assert.False(File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when a late mutation left the witness.
    [Fact]
    public async Task The_witness_is_gone_before_a_mutation_that_is_late_is_acknowledged()
    {
        // Long enough for the withdrawal to be through within its grace, a quarter of it, on a busy machine.
        _scene.Options.IoTimeout = TimeSpan.FromSeconds(1);
        await _scene.ReopenClosedAsync();
        _scene.Files.Hold(FileOperation.Write, TierScene.Segments);

        await _scene.Remove("k");

        Assert.False(File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when everything had to be durable first, and when nothing had to after a write that failed.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_only_late_is_trusted_as_soon_as_it_is_written_and_what_has_failed_when_it_is_durable(bool hasFailed)
    {
        // Long enough for the withdrawal, as above.
        _scene.Options.IoTimeout = TimeSpan.FromSeconds(2);
        await _scene.ReopenClosedAsync();
        var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
        await _scene.Remove("k");
        Assert.False(File.Exists(_scene.Witness));
        var syncs = _scene.Files.Fail(FileOperation.Flush, TierScene.Segments);
        if (hasFailed)
        {
            _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        }

        gate.Open();
        await _scene.Set("another", "v");
        for (int tries = 0; tries < 1000 && !File.Exists(_scene.Witness) && syncs.StruckCount == 0; tries++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Cache.TrustOnceAsync();
        }

        Assert.Equal(hasFailed, syncs.StruckCount > 0);
        Assert.Equal(!hasFailed, File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // As the model does before it kills. Seen to fail when it had to wait for the pause between two such returns of trust.
    [Fact]
    public async Task What_was_late_twice_in_a_moment_is_trusted_when_that_is_asked_for()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(200);
        await _scene.ReopenClosedAsync();
        for (int round = 0; round < 2; round++)
        {
            var gate = _scene.Files.Hold(FileOperation.Write, TierScene.Segments);
            await _scene.Set("late", $"v{round}");
            gate.Open();
            await _scene.Cache.DrainAsync();
            await _scene.Cache.TrustOnceAsync();
            Assert.True(File.Exists(_scene.Witness));
        }
    }

    // Seen to fail when a close let only those go who were not waiting for the withdrawal yet.
    [Fact]
    public async Task A_caller_who_waits_for_the_withdrawal_is_let_go_by_a_close()
    {
        // So long that the watchdog, which lets go as well, is gone by then.
        _scene.Options.IoTimeout = TimeSpan.FromSeconds(10);
        await _scene.ReopenClosedAsync();
        FailWrites();
        var gate = _scene.Files.Hold(FileOperation.Delete, Witness);
        var removal = _scene.Remove("k").AsTask();
        await gate.Reached;

        await _scene.CloseAsync();

        await removal.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        gate.Open();
    }

    // Seen to fail when the caller waited for the withdrawal for ever.
    [Fact]
    public async Task A_caller_is_let_go_although_the_witness_cannot_be_deleted_in_time()
    {
        _scene.Options.IoTimeout = TimeSpan.FromMilliseconds(20);
        await _scene.ReopenClosedAsync();
        FailWrites();
        _scene.Files.Hold(FileOperation.Delete, Witness);

        await _scene.Remove("k");

        Assert.Null(await _scene.Get("k"));
        Assert.Equal(1, _scene.Cache.GetStatus().OwedWrites);
    }

    // Seen to fail when nothing was tried in place of the witness.
    [Theory]
    [InlineData(Revocation)]
    [InlineData(WaiterMark)]
    public async Task Where_the_witness_cannot_be_deleted_a_mark_or_a_revocation_is_left(string impossible)
    {
        FailWrites();
        _scene.Files.Fail(FileOperation.Delete, Witness);
        _scene.Files.Fail(FileOperation.Open, impossible);

        await _scene.Remove("k");

        Assert.True(File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    [Fact]
    public async Task Where_nothing_can_be_left_the_caller_is_let_go_and_memory_is_right()
    {
        FailWrites();
        _scene.Files.Fail(FileOperation.Delete, Witness);
        _scene.Files.Fail(FileOperation.Open, Revocation);
        _scene.Files.Fail(FileOperation.Open, WaiterMark);
        var said = _scene.Log.NextAsync(22);

        await _scene.Set("k", "v1");

        // On a slow machine the caller may be let go before anything has been tried.
        await said;
        Assert.Equal("v1", await _scene.Get("k"));
        Assert.InRange(_scene.Log.Count(22), 1, 3);
    }

    // Found by the model: the witness stayed for good when each of the three ways failed once. Seen to fail when nothing was tried again.
    [Fact]
    public async Task Where_nothing_could_be_left_the_next_heartbeat_tries_again()
    {
        FailWrites();
        FailToTellOnce(_scene.Files);
        await _scene.Remove("k");
        var gate = _scene.Files.Hold(FileOperation.Delete, Witness);

        while (!gate.Reached.IsCompleted)
        {
            // The first attempt may still be under way on a thread of its own. A heartbeat waits for one that has begun.
            await Task.WhenAny(_scene.Cache.HeartbeatOnceAsync(), gate.Reached);
        }

        gate.Open();
        await _scene.Remove("another");
        Assert.False(File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when nothing was tried again.
    [Fact]
    public void Where_nothing_could_be_left_what_becomes_owed_next_tries_again()
    {
        using var root = new ScratchDirectory();
        var files = new FaultyFileSystem();
        using var directory = new CacheDirectory(files, root.Path, WitnessFolder.Path);
        using var trust = new TrustMark(directory, Guid.NewGuid());
        int failed = 0;
        int letGo = 0;
        trust.Failed += _ => failed++;
        trust.Withdrawn += () => letGo++;
        trust.Vouch(Guid.Empty);
        trust.Own();
        FailToTellOnce(files);

        trust.WithdrawNow();

        Assert.True(File.Exists(WitnessFolder.WitnessOf(root.Path)));
        Assert.False(trust.IsWithdrawn);
        Assert.Equal((3, 1), (failed, letGo));

        trust.WithdrawNow();

        Assert.False(File.Exists(WitnessFolder.WitnessOf(root.Path)));
        Assert.True(trust.IsWithdrawn);
        Assert.Equal((3, 2), (failed, letGo));
    }

    // Seen to fail when a heartbeat wrote slots without the flag.
    [Fact]
    public async Task The_slots_get_the_flag_with_the_next_heartbeats_and_lose_it_when_everything_is_written()
    {
        FailWrites();
        await _scene.Set("k", "v1");
        await _scene.Cache.HeartbeatOnceAsync();
        Assert.Contains(SuperblockSlots.Read(_scene.Options.Directory!), slot => slot.IsSuspect);

        _scene.Files.Heal();
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.DrainAsync();
        await _scene.Cache.TrustOnceAsync();

        Assert.DoesNotContain(SuperblockSlots.Read(_scene.Options.Directory!), slot => slot.IsSuspect);
        Assert.True(File.Exists(_scene.Witness));
        await _scene.ReopenKilledAsync();
        Assert.Equal("v1", await _scene.Get("k"));
    }

    // Seen to fail when trust came back without a sync, and when a failed one was believed.
    [Fact]
    public async Task A_store_is_not_trusted_again_while_what_was_owed_cannot_be_synced()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        _scene.Files.Fail(FileOperation.Flush, TierScene.Segments);
        await _scene.Set("k", "v1");

        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.Cache.DrainAsync();
        await _scene.Cache.TrustOnceAsync();

        Assert.Equal(0, _scene.Cache.GetStatus().OwedWrites);
        Assert.False(File.Exists(_scene.Witness));

        _scene.Files.Heal();
        await TrustAsync();
        await _scene.ReopenKilledAsync();
        Assert.Equal("v1", await _scene.Get("k"));
    }

    // Seen to fail when a failed sync was tried again on the same segment.
    [Fact]
    public async Task A_segment_whose_sync_failed_once_is_written_anew_before_the_store_is_trusted_again()
    {
        int writesAtTrust = 0;
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("k", new string('v', 5_000));
        _scene.Files.Fail(FileOperation.Flush, "2.seg", times: 1);
        _scene.Files.Watch(FileOperation.Open, _ => writesAtTrust = LargeWrites(), Witness);

        await TrustAsync();

        // Once in vain, once when it was owed, once when the segment was retired.
        Assert.Equal(3, writesAtTrust);
        Assert.Equal(1, _scene.Log.Count(28));
        await _scene.ReopenKilledAsync();
        Assert.Equal(5_000, (await _scene.Get("k"))?.Length);
    }

    // Seen to fail when a sync was enough whatever had become owed during it.
    [Fact]
    public async Task A_store_is_not_trusted_again_when_something_became_owed_during_the_sync()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("another", "v");
        var sync = _scene.Files.Hold(FileOperation.Flush, TierScene.Segments);
        await _scene.Cache.HeartbeatOnceAsync();
        await sync.Reached;
        await _scene.Cache.HeartbeatOnceAsync();
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Remove("k");

        sync.Open();
        await _scene.Cache.TrustOnceAsync();

        Assert.False(File.Exists(_scene.Witness));
        await _scene.Cache.HeartbeatOnceAsync();
        await _scene.ReopenKilledWhenTrustedAsync();
        Assert.Null(await _scene.Get("k"));
        Assert.Equal("v", await _scene.Get("another"));
    }

    // Seen to fail when a store that owed was closed clean.
    [Theory]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public async Task A_cache_that_is_disposed_of_while_it_owes_leaves_a_store_that_is_not_believed(int failures)
    {
        // Twice: when the removal is written, and when the close tries it again. What closing writes itself succeeds.
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: failures);
        await _scene.Remove("k");

        await _scene.CloseAsync();
        _scene.Files.Heal();
        await _scene.OpenAsync();

        Assert.Null(await _scene.Get("k"));
        Assert.Equal(0, _scene.Cache.GetStatus().Entries);
        await _scene.Set("k", "v1");
        await _scene.ReopenClosedAsync();
        Assert.Equal("v1", await _scene.Get("k"));
    }

    [Fact]
    public async Task A_cache_that_writes_at_its_end_what_it_owed_leaves_a_store_that_is_believed()
    {
        _scene.Files.Fail(FileOperation.Write, TierScene.Segments, times: 1);
        await _scene.Set("k", "v1");

        await _scene.ReopenClosedAsync();

        Assert.Equal("v1", await _scene.Get("k"));
    }

    // Seen to fail when whatever was there revoked the store, if only it could not be read; a pipe kept the opening waiting.
    [Fact]
    public async Task What_is_no_file_of_this_user_revokes_nothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Nobody says whose a file is.");
        await _scene.Set("k", "v");
        await _scene.CloseAsync();
        string revocation = WitnessFolder.RevocationOf(_scene.Options.Directory!);
        Directory.CreateDirectory(revocation);

        await _scene.OpenAsync();
        Directory.Delete(revocation);

        Assert.Equal("v", await _scene.Get("k"));
    }

    private static void FailToTellOnce(FaultyFileSystem files)
    {
        files.Fail(FileOperation.Delete, Witness, times: 1);
        files.Fail(FileOperation.Open, Revocation, times: 1);
        files.Fail(FileOperation.Open, WaiterMark, times: 4);
    }

    private void FailWrites() => _scene.Files.Fail(FileOperation.Write, TierScene.Segments);

    /// <summary>Segments that could not be synced are retired first, so it may take more than one heartbeat.</summary>
    private async Task TrustAsync()
    {
        for (int i = 0; i < 20 && !File.Exists(_scene.Witness); i++)
        {
            await _scene.Cache.HeartbeatOnceAsync();
            await _scene.Cache.DrainAsync();
            await _scene.Cache.TrustOnceAsync();
        }

        Assert.True(File.Exists(_scene.Witness));
    }

    private int LargeWrites() =>
        _scene.Files.Calls.Count(call => call.IsA(FileOperation.Write, TierScene.Segments) && call.Bytes > 5_000);
}
