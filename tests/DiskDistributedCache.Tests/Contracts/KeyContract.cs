using System.Text;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Contracts;

/// <summary>Any text is a key, and different texts are different keys.</summary>
public abstract class KeyContract<TEnvironment> : CacheContract<TEnvironment>
    where TEnvironment : CacheEnvironment, new()
{
    private static readonly string[] s_oddKeys =
    [
        "", " ", "  ", "\t", "\n", "\r\n", "\0", "\0\0", "a\0", "a\0b", "a",
        "key", "Key", "KEY", " key", "key ", "straße", "STRASSE", "ı", "i", "İ",
        "é", "e\u0301", "Å", "A\u030A", "\u212B", "\uFEFF", "\u200B", "\uFFFD", "\uFFFF",
        "\uD800", "\uDBFF", "\uDC00", "\uDFFF", "\uDC00\uD800", "a\uD800", "a\uD801", "\uD83D\uDE00", "\uD83D", "\uDE00",
        ".", "..", "/", "\\", "../../etc/passwd", "..\\..\\windows", "/etc/passwd", "C:\\x", "a/b", "a\\b", "a/./b",
        "con", "NUL", "aux.txt", "file:stream", "*", "?", "|", "<>", "\"", "'", "%00", "%2e%2e%2f", "~", "$HOME",
        "cache.lock", "superblock", "diskcache-v1", "\u001EGET\u001FHTTP", "__MSFT_HCT__*", "v2:__fc:t:!",
    ];

    [Fact]
    public async Task Odd_keys_are_keys_and_all_differ()
    {
        Assert.Equal(s_oddKeys.Length, s_oddKeys.Distinct(StringComparer.Ordinal).Count());
        for (int i = 0; i < s_oddKeys.Length; i++)
        {
            await Cache.SetAsync(s_oddKeys[i], [(byte)i, (byte)(i >> 8), 42], Forever, Token);
        }

        await BetweenWriteAndReadAsync();

        for (int i = 0; i < s_oddKeys.Length; i++)
        {
            byte[] expected = [(byte)i, (byte)(i >> 8), 42];
            Assert.Equal(expected, await ReadAsync(s_oddKeys[i]));
        }
    }

    [Fact]
    public async Task Removing_one_odd_key_leaves_the_others()
    {
        foreach (string key in s_oddKeys)
        {
            Cache.Set(key, Encoding.Unicode.GetBytes(key), Forever);
        }

        for (int i = 0; i < s_oddKeys.Length; i += 2)
        {
            Cache.Remove(s_oddKeys[i]);
        }

        await BetweenWriteAndReadAsync();

        for (int i = 0; i < s_oddKeys.Length; i++)
        {
            Assert.Equal(i % 2 == 0, await ReadAsync(s_oddKeys[i]) is null);
        }
    }

    [Fact]
    public async Task Lone_surrogates_that_are_one_text_in_UTF_8_stay_two_keys()
    {
        const string One = "x\uD800";
        const string Two = "x\uD801";
        Assert.Equal(Encoding.UTF8.GetBytes(One), Encoding.UTF8.GetBytes(Two));

        Cache.Set(One, [1], Forever);
        await BetweenWriteAndReadAsync();

        Assert.Null(await ReadAsync(Two));
        Assert.Equal([1], await ReadAsync(One));
    }

    [Fact]
    public async Task Keys_of_a_million_characters_that_differ_in_the_last_one_are_two_keys()
    {
        string prefix = new('k', 1_000_000);
        await Cache.SetAsync(prefix + "1", [1], Forever, Token);
        await Cache.SetAsync(prefix + "2", [2], Forever, Token);

        await BetweenWriteAndReadAsync();

        Assert.Equal([1], await ReadAsync(prefix + "1"));
        Assert.Equal([2], await ReadAsync(prefix + "2"));
        Assert.Null(await ReadAsync(prefix));
    }

    [Fact]
    public async Task A_key_that_was_never_stored_is_a_miss_and_removing_or_refreshing_it_does_nothing()
    {
        Assert.Null(await ReadAsync("nobody"));

        Cache.Remove("nobody");
        Cache.Refresh("nobody");
        await Cache.RemoveAsync("nobody", Token);
        await Cache.RefreshAsync("nobody", Token);

        Assert.Null(await ReadAsync("nobody"));
    }

    [Fact]
    public async Task A_removed_key_is_gone_and_can_be_stored_again()
    {
        Cache.Set("sync", [1], Forever);
        Cache.Set("async", [1], Forever);
        await BetweenWriteAndReadAsync();

        Cache.Remove("sync");
        await Cache.RemoveAsync("async", Token);
        Assert.Null(await ReadAsync("sync"));
        Assert.Null(await ReadAsync("async"));
        await BetweenWriteAndReadAsync();
        Assert.Null(await ReadAsync("sync"));
        Assert.Null(await ReadAsync("async"));

        Cache.Set("sync", [2], Forever);
        await BetweenWriteAndReadAsync();
        Assert.Equal([2], await ReadAsync("sync"));
    }
}

public sealed class KeysOfANormalStore : KeyContract<NormalStore>;

public sealed class KeysWithColdMemory : KeyContract<ColdMemory>;

public sealed class KeysAfterARestart : KeyContract<Restarted>;

public sealed class KeysOverAMockFileSystem : KeyContract<OverMockFileSystem>;
