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
    /// <summary>The most tags of one entry.</summary>
    public const int MaxTags = 1000;

    /// <summary>Copies a value; <see langword="null"/> where it is too large to be stored, which then has cost nothing.</summary>
    public static EntryValue? CopyValue(in ReadOnlySequence<byte> value, KeySpace space, long maxBytes) =>
        value.Length > maxBytes ? default(EntryValue?) : EntryValue.CopyOf(value, space);

    /// <summary>Copies tags and drops repeated ones.</summary>
    /// <exception cref="ArgumentException">A tag is <see langword="null"/>, or there are more than <see cref="MaxTags"/>.</exception>
    public static string[] CopyTags(IEnumerable<string>? tags)
    {
        string[] copy = tags is null ? [] : [.. tags.Distinct(StringComparer.Ordinal)];
        return copy.Contains(null) ? throw new ArgumentException("A tag must not be null.", nameof(tags))
            : copy.Length > MaxTags ? throw new ArgumentException($"An entry has at most {MaxTags} tags; {copy.Length} were given.", nameof(tags))
            : copy;
    }

    /// <summary>
    /// The rule that entry options ask for: the earlier of both absolute limits, and the sliding window; where they ask for nothing, the
    /// rule of the cache.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The absolute expiration is not in the future.</exception>
    [SuppressMessage("Usage", "CA2208", Justification = "Names the caller's setting, as the platform's own caches do.")]
    public static Expiry ExpiryOf(DistributedCacheEntryOptions options, DefaultExpiry defaults, CacheClock clock)
    {
        if (options is { AbsoluteExpiration: null, AbsoluteExpirationRelativeToNow: null, SlidingExpiration: null })
        {
            return new Expiry(
                defaults.Lifetime is { } limit ? Expiry.Add(clock.NowTicks, limit.Ticks) : Expiry.Never, defaults.Sliding?.Ticks ?? 0);
        }

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

/// <summary>How long entries live that are set without any expiration.</summary>
internal readonly record struct DefaultExpiry(TimeSpan? Lifetime, TimeSpan? Sliding);
