using System.Collections.Immutable;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// What the callers of a cache have been told by one moment, and so what a read may return: the newest value of a key, or nothing. A
/// value carries its key, its number, its length and a pattern, so that whatever is returned says where it comes from. Never changes:
/// each mutation makes another one.
/// </summary>
internal sealed class Truth
{
    public const int MinValueBytes = 16;

    private readonly ImmutableDictionary<string, Version> _versions;
    private readonly int _lastNumber;

    private Truth(ImmutableDictionary<string, Version> versions, int lastNumber) =>
        (_versions, _lastNumber) = (versions, lastNumber);

    public static Truth Nothing { get; } = new(ImmutableDictionary<string, Version>.Empty, 0);

    public Truth Set(string key, int length, string[] tags, Expiry expiry, long now)
    {
        int number = _lastNumber + 1;
        long deadline = expiry.DeadlineFrom(now);
        return new Truth(
            _versions.SetItem(key, new Version(number, BytesOf(key, number, length), tags, expiry, deadline, deadline)), number);
    }

    public Truth Remove(string key) => new(_versions.Remove(key), _lastNumber);

    public Truth EvictByTag(string tag) =>
        new(_versions.RemoveRange(_versions.Where(version => version.Value.Tags.Contains(tag, StringComparer.Ordinal)).Select(version => version.Key)), _lastNumber);

    public Truth Clear() => new(_versions.Clear(), _lastNumber);

    /// <summary>A sliding entry was used, which never shortens its life: the clock may know less than when it was set.</summary>
    public Truth Use(string key, long now) => _versions.TryGetValue(key, out var version) && version.Expiry.IsSliding
        ? new Truth(_versions.SetItem(key, version with { Deadline = Math.Max(version.Deadline, version.Expiry.DeadlineFrom(now)) }), _lastNumber)
        : this;

    /// <summary>What has expired by now stays so, whatever a clock says later.</summary>
    public Truth Bury(long now) => new(
        _versions.RemoveRange(_versions.Where(version => version.Value.Deadline <= now).Select(version => version.Key)), _lastNumber);

    /// <summary>The newest value of a key, dead or alive.</summary>
    public byte[] ValueOf(string key) => _versions[key].Value;

    /// <summary>The tags of the newest value of a key.</summary>
    public IReadOnlyList<string> TagsOf(string key) => _versions[key].Tags;

    /// <summary>The keys whose newest value is older than that of this one.</summary>
    public IEnumerable<string> OlderThan(string key) =>
        _versions.Where(version => version.Value.Number < _versions[key].Number).Select(version => version.Key);

    /// <summary>Whether the key has a value that may still be read.</summary>
    public bool IsAlive(string key, long now) => _versions.TryGetValue(key, out var version) && version.Deadline > now;

    /// <summary>Whether a read of the key may be expected to be a hit, whatever became of the uses of a sliding entry.</summary>
    public bool IsSurelyAlive(string key, long now) => _versions.TryGetValue(key, out var version) && version.SureDeadline > now;

    /// <summary>What is wrong with the result of a read; null when nothing is.</summary>
    public string? Judge(string key, byte[]? found, long now, bool mustBeThere)
    {
        var live = _versions.TryGetValue(key, out var version) && version.Deadline > now ? version : null;
        if (found is null)
        {
            return mustBeThere && IsSurelyAlive(key, now) ? $"'{key}' is forgotten, it is number {live!.Number}" : null;
        }

        if (live is not null && found.AsSpan().SequenceEqual(live.Value))
        {
            return null;
        }

        string expected = live is not null ? $"number {live.Number}" : version is not null ? "nothing, it has expired" : "nothing, it is gone";
        return $"'{key}' LIES: {Describe(key, found)} instead of {expected}";
    }

    private static byte[] BytesOf(string key, int number, int length)
    {
        byte[] value = new byte[Math.Max(length, MinValueBytes)];
        MemoryMarshal.Write(value, HashOf(key));
        MemoryMarshal.Write(value.AsSpan(8), number);
        MemoryMarshal.Write(value.AsSpan(12), value.Length);
        for (int i = MinValueBytes; i < value.Length; i++)
        {
            value[i] = (byte)((i * 7) + (number * 31) + key.Length);
        }

        return value;
    }

    private static string Describe(string key, byte[] found)
    {
        if (found.Length < MinValueBytes || MemoryMarshal.Read<ulong>(found) != HashOf(key))
        {
            return $"{found.Length} bytes that were never set for it";
        }

        int number = MemoryMarshal.Read<int>(found.AsSpan(8));
        return found.AsSpan().SequenceEqual(BytesOf(key, number, found.Length)) ? $"number {number}" : $"damaged bytes of number {number}";
    }

    private static ulong HashOf(string key) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key.AsSpan()));

    private sealed record Version(int Number, byte[] Value, string[] Tags, Expiry Expiry, long Deadline, long SureDeadline);
}
