using System.Text;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>
/// HybridCache and FusionCache remove a tag by storing a marker with the time of the removal; what it removed stays where it is. A cache
/// that lost the marker before that, or said that there is none when it does not know, would bring everything back.
/// </summary>
public abstract class InvalidationMarkerTests<TClient> : IAsyncLifetime
    where TClient : CacheClient, new()
{
    private const string Anew = "made anew";
    private const int FillerBytes = 8 << 10;
    private const int MaxDiskBytes = 1 << 20;

    protected TClient Client { get; } = new();

    private protected ClientScene Scene => Client.Scene;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What is in the key of the marker of the tag "gone".</summary>
    protected abstract string MarkerPrefix { get; }

    /// <summary>Under which key the client keeps a value in its second level.</summary>
    protected abstract string StoredKeyOf(string group, string key);

    protected abstract Task RemoveEverythingAsync();

    public ValueTask InitializeAsync()
    {
        Scene.Configure = options =>
        {
            options.MaxDiskBytes = MaxDiskBytes;
            options.MaxMemoryBytes = 256 << 10;
        };
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    // Fails when markers are reclaimed like other entries that nobody reads.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_tag_removal_took_stays_gone_however_much_is_stored_afterwards(bool everything)
    {
        await Scene.StartAsync();
        await Client.SetAsync("gone", "old", "first");
        await (everything ? RemoveEverythingAsync() : Client.RemoveGroupAsync("gone"));

        await FillAsync();
        await Scene.RestartAsync();

        Assert.NotNull(await Scene.Cache.GetAsync(StoredKeyOf("gone", "old"), Token));
        Assert.Equal(Anew, await Client.AskAsync("gone", "old", Anew));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_tag_removal_took_while_the_disk_was_broken_stays_gone_however_much_is_stored_afterwards(bool everything)
    {
        await Scene.StartAsync();
        await Client.SetAsync("gone", "old", "first");
        Scene.Break(Outage.Failing);
        await Scene.GiveUpDiskAsync();
        await (everything ? RemoveEverythingAsync() : Client.RemoveGroupAsync("gone"));
        await FillAsync();
        await Scene.RegainDiskAsync();
        await FillAsync();
        await Scene.RestartAsync();

        Assert.Equal(Anew, await Client.AskAsync("gone", "old", Anew));
    }

    // Fails when a lookup of a marker is a miss as long as the store is not open: the client then takes the tag for never removed.
    [Fact]
    public async Task A_store_that_opens_late_does_not_bring_back_what_a_tag_removal_took()
    {
        await Scene.StartAsync();
        await Client.SetAsync("gone", "old", "first");
        await Client.SetAsync("gone", "older", "first");
        await Client.RemoveGroupAsync("gone");
        await Scene.CloseAsync();

        Scene.IoTimeout = TimeSpan.FromMilliseconds(100);
        Scene.Break(Outage.Hanging);
        await Scene.StartWithoutDiskAsync();

        // The first caller waits for the store to open; those after it are answered at once.
        await Scene.Cache.GetAsync("first", Token);
        var early = Client.AskAsync("gone", "old", Anew);
        Scene.Files.Heal();

        Assert.Equal(Anew, await early);
        await Scene.Cache.StartAsync();
        await Scene.RegainDiskAsync();
        Assert.Equal(Anew, await Client.AskAsync("gone", "older", Anew));
    }

    // HybridCache keeps the exception in mind as "everything is removed", and FusionCache does not keep it in mind at all.
    [Fact]
    public async Task A_store_that_opens_too_late_does_not_bring_back_what_a_tag_removal_took()
    {
        await Scene.StartAsync();
        await Client.SetAsync("gone", "old", "first");
        await Client.SetAsync("gone", "older", "first");
        await Client.RemoveGroupAsync("gone");
        await Scene.CloseAsync();

        Client.BearsExceptions = true;
        Scene.Break(Outage.Failing);
        await Scene.StartWithoutDiskAsync();
        Scene.Cache.OpenTimeout = TimeSpan.FromMilliseconds(1);
        Assert.Equal(Anew, await Client.AskAsync("gone", "old", Anew));
        await Scene.RegainDiskAsync();

        Assert.Equal(Anew, await Client.AskAsync("gone", "older", Anew));
        await Scene.RestartAsync();
        Assert.Equal(Anew, await Client.AskAsync("gone", "older", Anew));
    }

    // Fails when a marker that does not verify is a miss, and what it removed is still there: no client could be helped by an exception.
    [Fact]
    public async Task A_marker_that_does_not_verify_does_not_bring_back_what_it_removed()
    {
        await StoreAndRemoveAsync();
        await Scene.CloseAsync();
        byte[] key = Encoding.Unicode.GetBytes(MarkerPrefix);
        Scene.Files.AlterReads(bytes => Damaged(bytes, key), ".seg");
        await Scene.StartAsync();

        Assert.Null(await Scene.Cache.GetAsync(StoredKeyOf("gone", "old"), Token));
        Assert.Equal(Anew, await AskAsync());
    }

    private static byte[] Damaged(byte[] bytes, byte[] key)
    {
        int found = bytes.AsSpan().IndexOf(key);
        if (found >= 0)
        {
            // The value stands behind the key.
            bytes[Math.Min(found + key.Length, bytes.Length - 1)] ^= 1;
        }

        return bytes;
    }

    protected Task<string> AskAsync() => Client.AskAsync("gone", "old", Anew);

    protected async Task StoreAndRemoveAsync()
    {
        await Scene.StartAsync();
        await Client.SetAsync("gone", "old", "first");
        await Client.RemoveGroupAsync("gone");
    }

    /// <summary>
    /// Stores several times of what fits on disk. Meanwhile the removed value is read again and again, as by callers whose factory fails, so
    /// that it is worth keeping; the client itself reads a marker once and then knows it.
    /// </summary>
    private async Task FillAsync()
    {
        for (int i = 0; i < 4 * MaxDiskBytes / FillerBytes; i++)
        {
            await Scene.Cache.SetAsync($"filler {i}", new byte[FillerBytes], new DistributedCacheEntryOptions(), Token);
            await Scene.Cache.GetAsync(StoredKeyOf("gone", "old"), Token);
        }
    }
}

public sealed class MarkersOfHybridCache : InvalidationMarkerTests<HybridCacheWithoutMemory>
{
    protected override string MarkerPrefix => "__MSFT_HCT__gone";

    protected override string StoredKeyOf(string group, string key) => $"{group}/{key}";

    protected override async Task RemoveEverythingAsync()
    {
        await Client.Hybrid.RemoveByTagAsync("*", Token);
        Scene.Time.Advance(TimeSpan.FromMilliseconds(1));
    }

    // HybridCache asks for this marker when it is made, and does not wait for the answer before it uses what it reads meanwhile. Fails in one
    // run of three or so when the answer has to come from disk; it does not when markers are in memory as soon as the store is open.
    [Fact]
    public async Task What_the_tag_of_everything_took_stays_gone_for_the_first_question_after_a_restart()
    {
        await Scene.StartAsync();
        for (int i = 0; i < 20; i++)
        {
            await Client.SetAsync("gone", $"{i}", "first");
            await RemoveEverythingAsync();
            await Scene.RestartAsync();
            Assert.Equal("made anew", await Client.AskAsync("gone", $"{i}", "made anew"));
        }
    }
}

public sealed class MarkersOfFusionCache : InvalidationMarkerTests<FusionCacheWithoutMemory>
{
    protected override string MarkerPrefix => "__fc:t:gone";

    protected override string StoredKeyOf(string group, string key) => $"v2:{group}/{key}";

    protected override async Task RemoveEverythingAsync() => await Client.Fusion.ClearAsync(token: Token);
}
