namespace DiskDistributedCache.Entries;

/// <summary>What there is to know of an entry without its value.</summary>
internal sealed record EntryHead(
    CacheKey Key, string[] Tags, long Sequence, long Ticket, int ValueBytes, long SlidingTicks, long Deadline)
{
    public static EntryHead Of(CacheEntry entry) =>
        new(entry.Key, entry.Tags, entry.Sequence, entry.Ticket, entry.Value.Length, entry.Expiry.SlidingTicks, entry.Deadline);
}
