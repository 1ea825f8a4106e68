using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>Rule 14, the clean flag: after a restart of the system only a store that says that it was closed clean is trusted.</summary>
public sealed class CleanFlagRuleTests : IDisposable
{
    private const string Superblock = "superblock";
    private readonly StoreScene _scene = new StoreScene().Open();

    public CleanFlagRuleTests() => _scene.Set("k", "v");

    public void Dispose() => _scene.Dispose();

    // Seen to fail when closing did not set the flag.
    [Fact]
    public void A_store_that_was_closed_is_trusted_after_a_restart_of_the_system()
    {
        _scene.Close();
        RestartSystem();

        Assert.Equal("v", _scene.Read("k"));
    }

    // Seen to fail when the boot id was not compared.
    [Fact]
    public void A_store_whose_process_was_killed_is_trusted_only_until_the_system_restarts()
    {
        _scene.ReopenKilled();
        Assert.Equal("v", _scene.Read("k"));

        _scene.Kill();
        RestartSystem();

        Assert.Equal(0, _scene.Index.Count);
        Assert.True(_scene.Store.Report.IsNew);
    }

    // Seen to fail when opening left the flag of the session before.
    [Fact]
    public void A_store_that_was_opened_and_killed_with_nothing_appended_is_not_clean()
    {
        _scene.ReopenClosed();
        _scene.Kill();

        RestartSystem();

        Assert.True(_scene.Store.Report.IsNew);
    }

    // Seen to fail when a heartbeat kept the flag that it had found.
    [Fact]
    public void A_heartbeat_does_not_make_a_store_clean()
    {
        _scene.ReopenClosed();
        _scene.Store.Heartbeat();
        _scene.Store.Heartbeat();
        _scene.Kill();

        RestartSystem();

        Assert.True(_scene.Store.Report.IsNew);
    }

    // Seen to fail when the slots were written without a sync, and after the first record.
    [Fact]
    public void A_store_says_durably_that_it_is_in_use_before_the_first_record_is_written()
    {
        _scene.Close();
        int before = _scene.Files.CountCalls(FileOperation.Flush, Superblock);
        _scene.Open();
        int synced = _scene.Files.CountCalls(FileOperation.Flush, Superblock);

        Assert.True(synced > before);
    }

    // Seen to fail when the flag was written before the data was synced.
    [Fact]
    public void The_flag_is_the_last_thing_that_closing_writes()
    {
        bool flagged = false;
        int after = 0;
        _scene.Files.Watch(FileOperation.Write, _ => flagged = true, Superblock);
        _scene.Files.Watch(FileOperation.Write, _ => after += flagged ? 1 : 0, ".seg");
        _scene.Files.Watch(FileOperation.Flush, _ => after += flagged ? 1 : 0, ".seg");
        _scene.Files.Watch(FileOperation.SetLength, _ => after += flagged ? 1 : 0, ".seg");

        _scene.Close();

        Assert.True(flagged);
        Assert.Equal(0, after);
        Assert.True(_scene.Files.CountCalls(FileOperation.Flush, ".seg") > 0);
    }

    // Seen to fail when whatever was found counted as durable: a power cut after the close made a hole of what the killed process had not synced.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_killed_process_has_left_is_made_durable_before_the_flag_is_written(bool isKilled)
    {
        _scene.FillSegments(2);
        string first = _scene.SegmentFiles[0].Name;
        if (isKilled)
        {
            _scene.ReopenKilled();
        }
        else
        {
            _scene.ReopenClosed();
        }

        int before = _scene.Files.CountCalls(FileOperation.Flush, first);
        _scene.Close();

        Assert.Equal(isKilled, _scene.Files.CountCalls(FileOperation.Flush, first) > before);
    }

    // Seen to fail when a failed sync was swallowed.
    [Theory]
    [InlineData(FileOperation.Flush, ".seg", 0)]
    [InlineData(FileOperation.Write, ".seg", 0)]
    [InlineData(FileOperation.SetLength, ".seg", 0)]
    [InlineData(FileOperation.Write, Superblock, 0)]
    [InlineData(FileOperation.Write, Superblock, 1)]
    public void Closing_that_failed_leaves_no_flag(object operation, string path, int skip)
    {
        _scene.Files.Fail((FileOperation)operation, path, skip);
        Assert.Throws<IOException>(_scene.Close);
        _scene.Kill();
        _scene.Files.Heal();

        RestartSystem();

        Assert.True(_scene.Store.Report.IsNew);
    }

    // Seen to fail when a sync was tried again: the system reports the loss once only.
    [Fact]
    public void A_sync_that_failed_once_leaves_no_flag_although_the_next_one_succeeds()
    {
        _scene.Files.Fail(FileOperation.Flush, ".seg", times: 1);
        Assert.Throws<IOException>(() => _scene.Store.Sync(_scene.Store.TakeUnsynced(all: true)));

        Assert.ThrowsAny<IOException>(_scene.Close);
        _scene.Kill();
        RestartSystem();

        Assert.True(_scene.Store.Report.IsNew);
    }

    private void RestartSystem()
    {
        _scene.Files.OverrideText("/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555");
        _scene.Open();
    }
}
