using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Tiers;

/// <summary>What a lookup can come to. Unknown is not a miss: the disk could not be asked.</summary>
internal enum LookupOutcome
{
    Miss = 0,
    Hit = 1,
    Unknown = 2,
}

/// <summary>The result of a lookup; <see cref="Entry"/> is there for a hit only.</summary>
internal readonly struct Lookup
{
    private Lookup(LookupOutcome outcome, CacheEntry? entry, DiskCacheTier tier)
    {
        Outcome = outcome;
        Entry = entry;
        Tier = tier;
    }

    public static Lookup Miss => default;

    public static Lookup Unknown => new(LookupOutcome.Unknown, null, default);

    public static Lookup Hit(CacheEntry entry, DiskCacheTier tier) => new(LookupOutcome.Hit, entry, tier);

    public LookupOutcome Outcome { get; }

    public CacheEntry? Entry { get; }

    public DiskCacheTier Tier { get; }
}
