using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// Two sessions that have given out the same number, as it was with values that were given up before the store was open and written back later.
/// </summary>
public sealed class SameNumberTests : IDisposable
{
    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    // Seen to fail when retiring brought a touch along with the deadline that it was written with.
    [Fact]
    public void A_touch_of_an_earlier_session_does_not_extend_a_value_of_this_one()
    {
        // The first session: a value with the number 1, which slides by a day and is used.
        WriteBack("k", "first", sequence: 1, TimeSpan.FromDays(1));
        _scene.Append(_scene.AcceptTouch("k", _scene.Time.GetUtcNow().AddDays(1).AddHours(1)));
        _scene.ReopenKilled();

        // The second: it was set before the store was open, given up, and is written back: the removal first, then the value.
        _scene.Remove("k");
        WriteBack("k", "second", sequence: 1, TimeSpan.FromMinutes(1));
        Assert.Equal("second", _scene.Read("k"));

        // The disk loses what the first session wrote.
        _scene.Files.Fail(FileOperation.Flush, ".seg", times: 1);
        Assert.ThrowsAny<IOException>(() => _scene.Store.Sync(_scene.Store.TakeUnsynced(all: true)));
        _scene.Store.RetireDamaged();
        Assert.Equal("second", _scene.Read("k"));
        _scene.ReopenKilled();
        _scene.Time.Advance(TimeSpan.FromMinutes(2));

        Assert.Null(_scene.Read("k"));
    }

    private void WriteBack(string key, string value, long sequence, TimeSpan sliding)
    {
        var expiry = new Expiry(Expiry.Never, sliding.Ticks);
        var entry = new CacheEntry(
            StoreScene.KeyOf(key), System.Text.Encoding.UTF8.GetBytes(value), [], expiry, expiry.DeadlineFrom(_scene.Clock.NowTicks));
        entry.Number(sequence, sequence);
        var mutation = Mutation.Again(entry);
        (mutation.Sequence, mutation.KeyHash) = (sequence, _scene.Store.HashOf(entry.Key));
        Assert.True(_scene.Index.SetPending(mutation.KeyHash, sequence, entry.Deadline));
        _scene.Append(mutation);
    }
}
