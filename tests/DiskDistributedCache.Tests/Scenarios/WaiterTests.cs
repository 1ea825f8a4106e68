using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Rule 20: a process that does not own the store says so, where the next one finds it, before it acknowledges anything.</summary>
public sealed class WaiterTests : IAsyncLifetime
{
    private const string WaiterMark = "waiter-";
    private readonly TierScene _owner = new();
    private readonly FaultyFileSystem _files = new();
    private TieredCache? _waiter;

    private string[] Marks => Directory.GetFiles(_owner.Folder, WaiterMark + "*");

    private string[] Revocations => WitnessFolder.RevocationsOf(_owner.Options.Directory!);

    public async ValueTask InitializeAsync()
    {
        await _owner.OpenAsync();
        await _owner.Set("shared", "owner");
        await _owner.Set("removed", "owner");
        _waiter = new TieredCache(_owner.Options, _files, _owner.Time, new CollectedLog());
        await _waiter.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _files.Heal();
        await _waiter!.DisposeAsync();
        await _owner.DisposeAsync();
    }

    // Seen to fail when the mark was left after the acknowledgement, and when none was.
    [Fact]
    public async Task A_waiter_leaves_its_mark_before_its_first_acknowledgement()
    {
        Assert.Empty(Marks);
        _files.Fail(FileOperation.Open, ".revoked");
        var gate = _files.Hold(FileOperation.Open, WaiterMark);
        var removal = RemoveAsync("removed").AsTask();
        await gate.Reached;
        Assert.False(removal.IsCompleted);

        gate.Open();
        await removal;

        Assert.Single(Marks);
        Assert.Equal("owner", await _owner.Get("removed"));
    }

    // Seen to fail without the revocation.
    [Fact]
    public async Task A_waiter_that_cannot_leave_its_mark_revokes_the_store()
    {
        _files.Fail(FileOperation.Open, WaiterMark);
        await RemoveAsync("removed");
        Assert.Empty(Marks);
        Assert.Single(Revocations);
        await _waiter!.DisposeAsync();

        await _owner.ReopenClosedAsync();

        Assert.Null(await _owner.Get("removed"));
        Assert.Equal(0, _owner.Cache.GetStatus().Entries);
        Assert.Empty(Revocations);
    }

    // Seen to fail when a file that is there already was an error each time, and when only a mark that is held was removed.
    [Fact]
    public async Task A_mark_that_was_left_by_half_is_left_again_and_removed()
    {
        int count = 0;
        _files.Watch(
            FileOperation.Open,
            call =>
            {
                File.WriteAllText(call.Path, "");
                if (++count == 1)
                {
                    throw new IOException("Half done.");
                }
            },
            WaiterMark);
        await RemoveAsync("removed");
        for (int tries = 0; tries < 1000 && !IsMarkHeld; tries++)
        {
            // Each attempt to take over that fails makes the mark sure again, elsewhere.
            await _waiter!.HeartbeatOnceAsync();
        }

        Assert.True(IsMarkHeld);
        await _owner.CloseAsync();
        await _waiter!.RecoverOnceAsync();
        await _waiter!.DrainAsync();
        await _waiter!.TrustOnceAsync();

        Assert.Empty(Marks);
    }

    // Seen to fail when the mark stayed.
    [Fact]
    public async Task The_mark_is_removed_once_the_waiter_has_taken_over_and_written_everything()
    {
        await RemoveAsync("removed");
        await _owner.CloseAsync();

        await _waiter!.RecoverOnceAsync();
        Assert.Equal(DiskCacheMode.Normal, _waiter.GetStatus().Mode);
        await _waiter.DrainAsync();
        await _waiter.TrustOnceAsync();

        Assert.Empty(Marks);
        Assert.Equal("owner", Read("shared"));
        Assert.Null(Read("removed"));
        await _waiter.DisposeAsync();
        await _owner.OpenAsync();
        Assert.Equal("owner", await _owner.Get("shared"));
        Assert.Null(await _owner.Get("removed"));
    }

    // Seen to fail when the mark was removed as soon as the store was open.
    [Fact]
    public async Task The_mark_stays_until_what_the_waiter_acknowledged_is_on_disk()
    {
        await RemoveAsync("removed");
        await _owner.CloseAsync();
        _files.Fail(FileOperation.Write, TierScene.Segments);

        await _waiter!.RecoverOnceAsync();
        await _waiter.TrustOnceAsync();

        Assert.Single(Marks);
        await _waiter.DisposeAsync();
        await _owner.OpenAsync();
        Assert.Null(await _owner.Get("removed"));
    }

    // Seen to fail when every mark made a store unbelievable.
    [Fact]
    public async Task A_waiter_that_lives_does_not_keep_the_next_process_from_believing_the_store()
    {
        await RemoveAsync("removed");

        await _owner.ReopenClosedAsync();

        Assert.Equal("owner", await _owner.Get("shared"));
        Assert.Equal("owner", await _owner.Get("removed"));
        Assert.Null(Read("removed"));
    }

    // Seen to fail when the waiter tried the lock only when it recovered.
    [Fact]
    public async Task A_waiter_tries_the_lock_with_each_heartbeat()
    {
        await _waiter!.RecoverOnceAsync();
        int tries = _files.CountCalls(FileOperation.Open, "cache.lock");
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _files.Watch(FileOperation.Open, _ => next.TrySetResult(), "cache.lock");

        _owner.Time.Advance(_owner.Options.HeartbeatInterval);
        await next.Task;

        Assert.True(_files.CountCalls(FileOperation.Open, "cache.lock") > tries);
        Assert.Equal(DiskCacheMode.MemoryOnly, _waiter.GetStatus().Mode);
    }

    private bool IsMarkHeld => Marks is [var mark] && IsHeld(mark);

    private static bool IsHeld(string path)
    {
        try
        {
            new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private ValueTask RemoveAsync(string key) => _waiter!.Remove(TierScene.KeyOf(key)).AsValueTask();

    private string? Read(string key) =>
        _waiter!.Get(TierScene.KeyOf(key)).Entry is { } entry ? Encoding.UTF8.GetString(entry.Value.ToArray()) : null;
}
