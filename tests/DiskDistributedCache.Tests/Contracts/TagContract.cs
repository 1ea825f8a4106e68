using System.Buffers;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>Evicting a tag kills every entry that carries it at that moment, in both key spaces, and no other.</summary>
public abstract class TagContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    [Fact]
    public async Task Evicting_a_tag_takes_the_entries_that_carry_it_and_no_others()
    {
        await StoreAsync("red", ["red"]);
        await StoreAsync("red and blue", ["blue", "red"]);
        await StoreAsync("blue", ["blue"]);
        await StoreAsync("no tags", []);
        await StoreAsync("null tags", null);
        await BetweenWriteAndReadAsync();

        await Cache.EvictByTagAsync("red", Token);
        await AssertAsync(["blue", "no tags", "null tags"], ["red", "red and blue"]);
        await BetweenWriteAndReadAsync();
        await AssertAsync(["blue", "no tags", "null tags"], ["red", "red and blue"]);
    }

    [Fact]
    public async Task Tags_are_compared_ordinally_and_may_be_any_text()
    {
        string[] tags = ["", " ", "tag", "Tag", "tag ", "\0", "\uD800", "\uD801", "é", "e\u0301", "../tag", new('t', 10_000)];
        for (int i = 0; i < tags.Length; i++)
        {
            await StoreAsync($"{i}", [tags[i]]);
        }

        for (int i = 0; i < tags.Length; i++)
        {
            await BetweenWriteAndReadAsync();
            await Cache.EvictByTagAsync(tags[i], Token);
            Assert.Null(await ReadAsync($"{i}"));
            for (int j = i + 1; j < tags.Length; j++)
            {
                Assert.NotNull(await ReadAsync($"{j}"));
            }
        }
    }

    [Fact]
    public async Task Evicting_the_empty_tag_spares_entries_without_tags()
    {
        await StoreAsync("untagged", null);
        await StoreAsync("empty tag", [""]);
        await BetweenWriteAndReadAsync();

        await Cache.EvictByTagAsync("", Token);

        await AssertAsync(["untagged"], ["empty tag"]);
    }

    [Fact]
    public async Task Evicting_a_tag_that_nobody_carries_does_nothing_however_often()
    {
        await StoreAsync("key", ["tag"]);

        await Cache.EvictByTagAsync("other", Token);
        await Cache.EvictByTagAsync("other", Token);

        await BetweenWriteAndReadAsync();
        await AssertAsync(["key"], []);
    }

    [Fact]
    public async Task An_overwrite_replaces_the_tags()
    {
        await StoreAsync("retagged", ["old"]);
        await StoreAsync("retagged", ["new"]);
        await StoreAsync("untagged", ["old"]);
        Cache.Set("untagged", [2], Forever);
        await BetweenWriteAndReadAsync();

        await Cache.EvictByTagAsync("old", Token);
        await AssertAsync(["retagged", "untagged"], []);
        await BetweenWriteAndReadAsync();
        await AssertAsync(["retagged", "untagged"], []);

        await Cache.EvictByTagAsync("new", Token);
        await AssertAsync(["untagged"], ["retagged"]);
    }

    [Fact]
    public async Task An_entry_that_is_stored_after_the_eviction_lives()
    {
        await StoreAsync("before", ["tag"]);
        await BetweenWriteAndReadAsync();
        await Cache.EvictByTagAsync("tag", Token);
        await StoreAsync("after", ["tag"]);
        await BetweenWriteAndReadAsync();
        await AssertAsync(["after"], ["before"]);

        await Cache.EvictByTagAsync("tag", Token);
        await BetweenWriteAndReadAsync();
        await AssertAsync([], ["after", "before"]);
    }

    [Fact]
    public async Task Repeated_tags_and_many_tags_count_like_any_other()
    {
        string[] many = [.. Enumerable.Range(0, 300).Select(i => $"tag {i}")];
        await StoreAsync("repeated", ["tag 1", "tag 1", "tag 1"]);
        await StoreAsync("many", many);
        await BetweenWriteAndReadAsync();

        await Cache.EvictByTagAsync("tag 299", Token);
        await AssertAsync(["repeated"], ["many"]);
        await Cache.EvictByTagAsync("tag 1", Token);
        await AssertAsync([], ["repeated"]);
    }

    [Fact]
    public async Task Tags_that_change_after_the_call_do_not_matter()
    {
        string[] tags = ["mine"];
        var pending = Cache.SetAsync("key", [1], Forever, tags, Token);
        tags[0] = "yours";
        await pending;
        await BetweenWriteAndReadAsync();

        await Cache.EvictByTagAsync("yours", Token);
        await AssertAsync(["key"], []);
        await Cache.EvictByTagAsync("mine", Token);
        await AssertAsync([], ["key"]);
    }

    [Fact]
    public async Task The_two_key_spaces_are_apart_but_share_their_tags()
    {
        await StoreAsync("key", ["tag"]);
        await StoreOutputAsync("key", [2], ["tag"]);
        await StoreOutputAsync("other", [3], []);
        await BetweenWriteAndReadAsync();
        Assert.Equal([1], await ReadAsync("key"));
        Assert.Equal([2], await ReadOutputAsync("key"));

        await Cache.RemoveAsync("key", Token);
        await Cache.RemoveAsync("other", Token);
        Assert.Equal([2], await ReadOutputAsync("key"));
        Assert.Null(await ReadAsync("key"));

        await StoreAsync("key", ["tag"]);
        await Cache.EvictByTagAsync("tag", Token);
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadOutputAsync("key"));
        Assert.Null(await ReadAsync("key"));
        Assert.Equal([3], await ReadOutputAsync("other"));
    }

    [Fact]
    public async Task Clear_takes_everything_and_what_comes_afterwards_lives()
    {
        await StoreAsync("tagged", ["tag"]);
        await StoreAsync("untagged", null);
        await StoreOutputAsync("output", [1], []);
        await BetweenWriteAndReadAsync();

        await Cache.ClearAsync(Token);
        await StoreAsync("after", ["tag"]);
        await AssertAsync(["after"], ["tagged", "untagged"]);
        await BetweenWriteAndReadAsync();

        await AssertAsync(["after"], ["tagged", "untagged"]);
        Assert.Null(await ReadOutputAsync("output"));
    }

    private Task StoreAsync(string key, IEnumerable<string>? tags) => Cache.SetAsync(key, [1], Forever, tags, Token);

    private Task StoreOutputAsync(string key, byte[] value, string[] tags) =>
        Cache.StoreAsync(new CacheKey(KeySpace.Output, key), new ReadOnlySequence<byte>(value), tags, Expiry.None, default).AsTask();

    private async Task<byte[]?> ReadOutputAsync(string key) => (await Cache.FindAsync(KeySpace.Output, key, Token))?.Value.ToArray();

    private async Task AssertAsync(string[] there, string[] gone)
    {
        foreach (string key in there)
        {
            Assert.True(await ReadAsync(key) is not null, $"'{key}' should be there");
        }

        foreach (string key in gone)
        {
            Assert.True(await ReadAsync(key) is null, $"'{key}' should be gone");
        }
    }
}

public sealed class TagsInANormalStore : TagContract<NormalStore>;

public sealed class TagsWithColdMemory : TagContract<ColdMemory>;

public sealed class TagsAfterARestart : TagContract<Restarted>;

public sealed class TagsOverAMockFileSystem : TagContract<OverMockFileSystem>;
