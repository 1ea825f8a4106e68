using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache;

/// <summary>
/// What callers hand in, turned into what an entry keeps: own arrays instead of borrowed ones, one deadline rule instead of
/// three settings. Nothing of the caller's is referenced afterwards.
/// </summary>
internal static class EntryArguments
{
    /// <summary>Copies a value; <see langword="null"/> where no array is long enough for it.</summary>
    public static byte[]? Copy(in ReadOnlySequence<byte> value) => value.Length > Array.MaxLength ? null : value.ToArray();

    /// <summary>Copies tags and drops repeated ones.</summary>
    /// <exception cref="ArgumentException">A tag is <see langword="null"/>.</exception>
    public static string[] Copy(IEnumerable<string>? tags)
    {
        string[] copy = tags is null ? [] : [.. tags.Distinct(StringComparer.Ordinal)];
        return copy.Contains(null) ? throw new ArgumentException("A tag must not be null.", nameof(tags)) : copy;
    }

    /// <summary>Copies tags and drops repeated ones.</summary>
    /// <exception cref="ArgumentException">A tag is <see langword="null"/>.</exception>
    // The cast picks the overload above: an array alone would be taken for a span again.
    public static string[] Copy(ReadOnlySpan<string> tags) => tags.IsEmpty ? [] : Copy((IEnumerable<string>)tags.ToArray());

    /// <summary>The rule that entry options ask for: the earlier of both absolute limits, and the sliding window.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The absolute expiration is not in the future.</exception>
    [SuppressMessage("Usage", "CA2208", Justification = "Names the caller's setting, as the platform's own caches do.")]
    public static Expiry ExpiryOf(DistributedCacheEntryOptions options, CacheClock clock)
    {
        long absolute = Expiry.Never;
        if (options.AbsoluteExpiration is { } moment)
        {
            // By the wall clock, as the caller reckons. The cache's own clock may run ahead of it after the wall clock was
            // set back; then the entry is merely dead already, which is no mistake of the caller's.
            if (moment.UtcTicks <= clock.UtcTicks)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(DistributedCacheEntryOptions.AbsoluteExpiration),
                    moment,
                    "The absolute expiration value must be in the future.");
            }

            absolute = moment.UtcTicks == DateTimeOffset.MaxValue.UtcTicks ? Expiry.Never : moment.UtcTicks;
        }

        if (options.AbsoluteExpirationRelativeToNow is { } lifetime)
        {
            absolute = Math.Min(absolute, Expiry.Add(clock.NowTicks, lifetime.Ticks));
        }

        return new Expiry(absolute, options.SlidingExpiration?.Ticks ?? 0);
    }
}
