using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>What a read makes of a record that is sound and not the one that was meant.</summary>
public sealed class RecordReadTests : IDisposable
{
    private static readonly CacheKey s_key = StoreHistory.Data("key");

    private readonly ScratchDirectory _directory = new();
    private readonly StoreSession _session;

    public RecordReadTests()
    {
        _session = new StoreSession(_directory.Path, new TestClock(), new CacheModel());
        _session.Set(s_key, [1, 2, 3]);
    }

    [Fact]
    public void A_key_with_the_hash_of_another_is_a_plain_miss()
    {
        Assert.Equal(ReadOutcome.Miss, _session.Store.Read(StoreHistory.Data("other"), Where(), out _));
        Assert.Equal([1, 2, 3], _session.Get(s_key));
    }

    [Fact]
    public void The_same_text_in_the_other_key_space_is_a_plain_miss()
    {
        Assert.Equal(ReadOutcome.Miss, _session.Store.Read(StoreHistory.Output("key"), Where(), out _));
        Assert.Equal([1, 2, 3], _session.Get(s_key));
    }

    [Fact]
    public void A_record_with_another_number_than_the_index_has_is_not_served()
    {
        var where = Where();
        Assert.NotEqual(ReadOutcome.Hit, _session.Store.Read(s_key, where with { Sequence = where.Sequence + 1 }, out _));
    }

    public void Dispose()
    {
        _session.Dispose();
        _directory.Dispose();
    }

    private IndexedEntry Where()
    {
        Assert.True(_session.Store.Index.TryGet(_session.Store.HashOf(s_key), out var where));
        return where;
    }
}
