using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>What waits for the log, and in which form.</summary>
public sealed class MutationQueueTests
{
    // Seen to fail when the encoded form was kept: memory counts the value and knows nothing of a second form.
    [Fact]
    public void A_value_that_is_owed_is_kept_once()
    {
        var queue = new MutationQueue(entry => entry.Value.Length);
        var first = Value("first");
        var failed = Value("failed");
        queue.Append(first);
        queue.Append(failed);
        Assert.NotNull(first.Stored);

        queue.Owe(first);
        Assert.Null(first.Stored);

        // One that is being written keeps its form until that has failed.
        var batch = new List<Mutation>();
        queue.Take(batch, long.MaxValue);
        failed.Stored = Stored();
        queue.Owe(failed);
        Assert.NotNull(failed.Stored);
        queue.PutBack(batch);
        Assert.Null(failed.Stored);
        Assert.Equal(2, queue.OwedCount);
    }

    private static StoredValue Stored() => new([1], RecordCodec.GZip, 100, isProtected: false, store: null);

    private static Mutation Value(string key)
    {
        var mutation = Mutation.Of(new CacheEntry(new CacheKey(KeySpace.Data, key), new byte[100], [], Expiry.None, Expiry.Never));
        mutation.Stored = Stored();
        return mutation;
    }
}
