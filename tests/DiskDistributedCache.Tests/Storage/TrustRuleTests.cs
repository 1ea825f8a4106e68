using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rules 14, 15, 16 and 20 at a start: what has to be true of a store, and of what is kept elsewhere about it, for it to be believed.</summary>
public sealed class TrustRuleTests : IDisposable
{
    private const string Superblock = "superblock";
    private readonly StoreScene _scene = new StoreScene().Open();

    public TrustRuleTests() => _scene.Set("k", "v");

    private string Witness => WitnessFolder.WitnessOf(_scene.Root);

    private string Revocation => WitnessFolder.RevocationOf(_scene.Root);

    public void Dispose() => _scene.Dispose();

    // Seen to fail, in the sweep over the opening of a killed store, when it was deleted and made anew.
    [Fact]
    public void A_revocation_is_not_made_anew_so_that_there_is_no_moment_without_it()
    {
        using var root = new ScratchDirectory();
        var files = new FaultyFileSystem();
        using var directory = new CacheDirectory(files, root.Path, WitnessFolder.Path);
        using var trust = new TrustMark(directory, Guid.NewGuid());
        trust.WithdrawNow();
        int deletedCount = files.CountCalls(FileOperation.Delete, ".revoked");

        trust.WithdrawAgain();

        Assert.Equal(deletedCount, files.CountCalls(FileOperation.Delete, ".revoked"));
        File.Delete(Assert.Single(WitnessFolder.RevocationsOf(root.Path)));
    }

    // Seen to fail when the old witness was deleted before the new one was written.
    [Fact]
    public void A_witness_stays_until_the_next_one_is_whole()
    {
        using var root = new ScratchDirectory();
        var files = new FaultyFileSystem();
        using var directory = new CacheDirectory(files, root.Path, WitnessFolder.Path);
        var witness = new Witness(directory);
        var (first, second) = (Guid.NewGuid(), Guid.NewGuid());
        witness.Put(first, Guid.Empty);
        string path = WitnessFolder.WitnessOf(root.Path);
        int looks = 0;
        files.Watch(
            FileOperation.Open | FileOperation.Write | FileOperation.Move | FileOperation.Delete,
            _ =>
            {
                looks++;
                Assert.Equal(32, new FileInfo(path).Length);
            },
            ".witness");

        witness.Put(second, first);

        Assert.True(looks >= 3);
        Assert.True(witness.VouchesFor(first) && witness.VouchesFor(second));
        witness.Withdraw();
        Assert.False(witness.VouchesFor(second));
    }

    // Seen to fail when the newer slot was enough.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_store_is_clean_only_if_both_slots_say_so(int slot)
    {
        _scene.Close();
        SuperblockSlots.Change(_scene.Root, slot, found => found with { IsClean = false });

        AssertBegunAnew();
    }

    // Seen to fail when the flag was ignored.
    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(0, false)]
    [InlineData(1, false)]
    public void A_store_that_is_suspect_in_either_slot_is_not_believed(int slot, bool isClosed)
    {
        End(isClosed);
        SuperblockSlots.Change(_scene.Root, slot, found => found with { IsSuspect = true });

        AssertBegunAnew();
    }

    // Seen to fail when the witness was not looked for.
    [Fact]
    public void A_killed_process_without_a_witness_is_followed_by_an_empty_store()
    {
        _scene.Kill();
        File.Delete(Witness);

        AssertBegunAnew();
    }

    // Seen to fail when any witness was good enough.
    [Fact]
    public void The_witness_of_another_session_vouches_for_nothing()
    {
        _scene.Kill();
        File.WriteAllBytes(Witness, [.. Guid.NewGuid().ToByteArray(), .. Guid.NewGuid().ToByteArray()]);

        AssertBegunAnew();
    }

    [Fact]
    public void A_witness_of_which_a_part_is_missing_vouches_for_nothing()
    {
        _scene.Kill();
        File.WriteAllBytes(Witness, File.ReadAllBytes(Witness)[..15]);

        AssertBegunAnew();
    }

    // Seen to fail when the boot id was not compared.
    [Fact]
    public void A_witness_does_not_vouch_across_a_restart_of_the_system()
    {
        _scene.Kill();
        SuperblockSlots.Change(_scene.Root, found => found with { BootId = Guid.NewGuid() });

        AssertBegunAnew();
    }

    // Seen to fail when the mount id was not compared.
    [Fact]
    public void A_witness_does_not_vouch_for_a_file_system_that_was_mounted_anew()
    {
        _scene.Kill();
        SuperblockSlots.Change(_scene.Root, found => found with { MountId = found.MountId + 1 });

        AssertBegunAnew();
    }

    // Seen to fail when the exception left the withdrawal, which as a rule runs on a thread of its own: the process would have ended.
    [Fact]
    public void A_place_for_the_witness_that_is_no_path_is_a_failure_to_be_told_of()
    {
        using var directory = new CacheDirectory(_scene.Files, _scene.Root, "a\0b");
        using var trust = new TrustMark(directory, Guid.NewGuid());
        int failures = 0;
        trust.Failed += _ => failures++;

        trust.WithdrawNow();

        Assert.InRange(failures, 1, 3);
        Assert.True(trust.IsSuspect);
    }

    // Seen to fail when an unknown boot id was taken for the same one.
    [Fact]
    public void Where_the_system_does_not_say_which_run_it_is_only_a_closed_store_is_believed()
    {
        _scene.Close();
        _scene.Files.OverrideText("/proc/sys/kernel/random/boot_id", "unknown");
        AssertBelieved();

        _scene.Kill();

        AssertBegunAnew();
    }

    // Seen to fail when it was not looked where the witness is.
    [Fact]
    public void A_witness_on_the_file_system_of_the_cache_is_refused()
    {
        _scene.Close();
        _scene.WitnessDirectory = Path.Combine(_scene.Root, "witness");
        Directory.CreateDirectory(_scene.WitnessDirectory);

        AssertBelieved();

        Assert.Empty(Directory.GetFiles(_scene.WitnessDirectory));
        AssertWarmOnlyAfterAClose();
    }

    [Fact]
    public void Without_a_place_for_the_witness_only_a_closed_store_is_believed()
    {
        _scene.Close();
        _scene.WitnessDirectory = Path.Combine(WitnessFolder.Path, "missing");

        AssertBelieved();

        AssertWarmOnlyAfterAClose();
    }

    // Seen to fail when the witness had the new session only.
    [Theory]
    [InlineData(FileOperation.Write, 0)]
    [InlineData(FileOperation.Write, 1)]
    [InlineData(FileOperation.Flush, 0)]
    public void A_process_that_is_killed_while_it_takes_a_store_over_leaves_it_warm(object operation, int skip)
    {
        _scene.Kill();
        _scene.Files.Fail((FileOperation)operation, Superblock, skip);
        Assert.Throws<IOException>(() => _scene.Open());
        _scene.Files.Heal();

        AssertBelieved();
    }

    // Seen to fail when a revocation was ignored.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_store_that_another_process_has_revoked_is_not_believed_and_the_new_one_is(bool isClosed)
    {
        End(isClosed);
        File.WriteAllBytes(Revocation, []);

        AssertBegunAnew();

        Assert.False(File.Exists(Revocation));
        AssertWarmAfterAClose();
    }

    // Seen to fail when it was held again, by nobody who would let go of it.
    [Fact]
    public void What_a_session_says_once_more_after_its_end_counts_as_that_of_the_dead()
    {
        using var root = new ScratchDirectory();
        var files = new FaultyFileSystem();
        files.Fail(FileOperation.Open, "waiter-");
        using var directory = new CacheDirectory(files, root.Path, WitnessFolder.Path);
        var trust = new TrustMark(directory, Guid.NewGuid());
        trust.WithdrawNow();
        trust.Dispose();
        int opened = files.CountCalls(FileOperation.Open, ".revoked");

        trust.WithdrawAgain();

        // Not even for a moment is it held again.
        Assert.Equal(opened, files.CountCalls(FileOperation.Open, ".revoked"));
        Assert.True(new Witness(directory).IsRevokedByOther(Guid.NewGuid()));
        GC.KeepAlive(trust);
        File.Delete(Assert.Single(WitnessFolder.RevocationsOf(root.Path)));
    }

    // Seen to fail when every revocation counted.
    [Fact]
    public void The_revocation_of_a_process_that_lives_does_not_make_a_store_unbelievable()
    {
        _scene.Close();
        using var waiter = new FileStream(Revocation, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);

        AssertBelieved();

        Assert.True(File.Exists(Revocation));
    }

    // Seen to fail when it was deleted with those of processes that have ended.
    [Fact]
    public void The_revocation_of_a_process_that_lives_stays_when_the_store_is_begun_anew()
    {
        End(isClosed: false);
        File.WriteAllText(WaiterMark, "");
        using var waiter = new FileStream(Revocation, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);

        AssertBegunAnew();

        Assert.True(File.Exists(Revocation));
    }

    // Seen to fail when the marks were not looked for.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_store_with_the_mark_of_a_dead_waiter_is_not_believed_and_the_new_one_is(bool isClosed)
    {
        End(isClosed);
        File.WriteAllText(WaiterMark, "");

        AssertBegunAnew();

        Assert.False(File.Exists(WaiterMark));
        AssertWarmAfterAClose();
    }

    // Seen to fail when every mark counted.
    [Fact]
    public void The_mark_of_a_waiter_that_lives_does_not_make_a_store_unbelievable()
    {
        _scene.Close();
        using var waiter = new FileStream(WaiterMark, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);

        AssertBelieved();

        Assert.True(File.Exists(WaiterMark));
    }

    // Seen to fail when the marks were removed before the new store was begun.
    [Theory]
    [InlineData(FileOperation.Write, 0)]
    [InlineData(FileOperation.Flush, 0)]
    public void A_mark_and_a_revocation_stay_until_the_new_store_has_begun(object operation, int skip)
    {
        _scene.Close();
        File.WriteAllText(WaiterMark, "");
        File.WriteAllBytes(Revocation, []);
        _scene.Files.Fail((FileOperation)operation, Superblock, skip);
        Assert.Throws<IOException>(() => _scene.Open());
        _scene.Files.Heal();
        Assert.True(File.Exists(WaiterMark));
        Assert.True(File.Exists(Revocation));

        AssertBegunAnew();
    }

    // Seen to fail when the flag was not written, and when it was ignored.
    [Fact]
    public async Task A_witness_that_somebody_puts_back_does_not_make_a_store_trusted_that_owes()
    {
        byte[] witness = File.ReadAllBytes(Witness);
        await WithdrawAsync();
        Assert.False(File.Exists(Witness));
        _scene.Store.Heartbeat();
        File.WriteAllBytes(Witness, witness);
        _scene.Kill();

        AssertBegunAnew();
    }

    [Fact]
    public async Task A_store_that_is_trusted_again_has_its_witness_and_no_flag()
    {
        await WithdrawAsync();
        _scene.Store.Heartbeat();
        _scene.Trust.Reset();
        _scene.Trust.Restore();
        _scene.Store.Heartbeat();
        _scene.Store.Heartbeat();
        _scene.Kill();

        AssertBelieved();
    }

    // Seen to fail when trust was restored over a withdrawal that came later.
    [Fact]
    public async Task Trust_that_was_taken_back_while_it_was_restored_stays_taken_back()
    {
        await WithdrawAsync();
        _scene.Trust.Reset();
        await WithdrawAsync();
        _scene.Trust.Restore();
        _scene.Kill();

        AssertBegunAnew();
    }

    // Seen to fail when the witness outlived a sync that had failed.
    [Fact]
    public void A_sync_that_fails_at_the_close_leaves_neither_a_flag_nor_a_witness()
    {
        _scene.Files.Fail(FileOperation.Flush, ".seg", times: 1);
        Assert.Throws<IOException>(_scene.Close);
        _scene.Kill();

        AssertBegunAnew();
    }

    private string WaiterMark => Path.Combine(_scene.Folder, "waiter-0123456789abcdef0123456789abcdef.lock");

    private void End(bool isClosed)
    {
        if (isClosed)
        {
            _scene.Close();
        }
        else
        {
            _scene.Kill();
        }
    }

    private async Task WithdrawAsync()
    {
        var withdrawn = new TaskCompletionSource();
        _scene.Trust.Withdrawn += () => withdrawn.TrySetResult();
        _scene.Trust.Withdraw();
        await withdrawn.Task;
    }

    private void AssertBelieved()
    {
        _scene.Open();
        Assert.False(_scene.Store.Report.IsNew);
        Assert.Equal("v", _scene.Read("k"));
    }

    private void AssertBegunAnew()
    {
        _scene.Open();
        Assert.True(_scene.Store.Report.IsNew);
        Assert.Equal(0, _scene.Index.Count);
    }

    private void AssertWarmAfterAClose()
    {
        _scene.Set("k", "v");
        _scene.Close();
        AssertBelieved();
    }

    private void AssertWarmOnlyAfterAClose()
    {
        AssertWarmAfterAClose();
        _scene.Kill();
        AssertBegunAnew();
    }
}
