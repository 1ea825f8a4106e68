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

    // Seen to fail when a change that was taken over kept its place: the newest value went first, and each search for the oldest one went
    // through everything that is owed.
    [Fact]
    public void Of_owed_values_the_one_that_was_set_longest_ago_is_given_up_first()
    {
        var queue = new MutationQueue(entry => entry.Value.Length);
        foreach (string key in new[] { "overwritten", "older", "newer" })
        {
            var mutation = Value(key);
            queue.Append(mutation);
            queue.Owe(mutation);
        }

        var newest = Value("overwritten");
        Assert.NotNull(queue.TryJoin(newest, isOwing: true));

        Assert.Equal(["older"], Dropped(queue));
        Assert.Equal(["newer"], Dropped(queue));
        Assert.Equal(["overwritten"], Dropped(queue));
        Assert.Null(queue.DropOldestValues(1));

        // What is left of each is written all the same, once.
        Assert.Equal(["older", "newer", "overwritten"], Taken(queue));
        Assert.Equal(0, queue.Count);
    }

    // Seen to fail together with the one above.
    [Fact]
    public void Changes_are_taken_over_wherever_they_stand_and_none_is_lost()
    {
        var queue = new MutationQueue(entry => entry.Value.Length);
        string[] keys = ["a", "b", "c", "d"];
        foreach (string key in keys.Concat(["d", "b", "a", "a", "c"]))
        {
            var mutation = Value(key);
            if (queue.TryJoin(mutation, isOwing: true) is null)
            {
                queue.Append(mutation);
                queue.Owe(mutation);
            }
        }

        // A batch that failed goes back to the front.
        var batch = new List<Mutation>();
        queue.Take(batch, 1);
        queue.PutBack(batch);
        Assert.NotNull(queue.TryJoin(Value("d"), isOwing: true));

        Assert.Equal(["b", "a", "c", "d"], Taken(queue));
        Assert.Equal(0, queue.OwedValueBytes);
    }

    private static string[] Dropped(MutationQueue queue) => [.. (queue.DropOldestValues(1) ?? []).Select(entry => entry.Key.Text)];

    private static string[] Taken(MutationQueue queue)
    {
        var batch = new List<Mutation>();
        queue.Take(batch, long.MaxValue);
        return [.. batch.Select(mutation => mutation.Key.Text)];
    }

    private static StoredValue Stored() => new(new byte[1], RecordCodec.GZip, 100, isProtected: false, store: null);

    private static Mutation Value(string key)
    {
        var mutation = Mutation.Of(new CacheEntry(new CacheKey(KeySpace.Data, key), new byte[100], [], Expiry.None, Expiry.Never));
        mutation.Stored = Stored();
        return mutation;
    }
}
