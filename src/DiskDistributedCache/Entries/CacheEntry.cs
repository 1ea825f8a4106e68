namespace DiskDistributedCache.Entries;

/// <summary>
/// One version of a value: key, value, tags, expiry and its number in the order of mutations. The arrays belong to the
/// entry and are never written to after construction, so entries are shared between callers without a lock; whoever hands
/// a value to code that may write to it hands out a copy.
/// </summary>
internal sealed class CacheEntry(CacheKey key, EntryValue value, string[] tags, Expiry expiry, long deadline)
{
    /// <summary>Nobody has been asked yet what a hit saves.</summary>
    public const int NotEstimated = -1;

    // The runtime keeps this order within references, numbers, bytes and structs: what a hit needs is in the first 64 bytes.
    private readonly string _text = key.Text;
    private long _ticket;
    private long _deadline = deadline;
    private long _sequence;
    private int _savedPerHit = NotEstimated;
    private readonly KeySpace _space = key.Space;

    public CacheKey Key => new(_space, _text);

    public EntryValue Value { get; } = value;

    /// <summary>Distinct, never null, in no particular order. Empty where the entry carries no tag.</summary>
    public string[] Tags { get; } = tags;

    public Expiry Expiry { get; } = expiry;

    /// <summary>Whether it may not be lost before what is older than it: see <see cref="KeyRetention"/>. Set before anyone else has the entry.</summary>
    public bool IsRetained { get; set; }

    // Belong to the memory tier. Readers write them without a lock and may lose each other's update: hints.

    /// <summary>Hits since the entry was last looked at for eviction, at most 3; those of the version before count too.</summary>
    public byte Frequency { get; set; }

    /// <summary>Whether the entry was hit since it was put, or since the disk tier was last told.</summary>
    public bool WasHit { get; set; }

    /// <summary>The entry's place in the order of all mutations: what is newer has the higher number.</summary>
    public long Sequence => Volatile.Read(ref _sequence);

    /// <summary>The sequence number at which the making of the value began. A barrier newer than the ticket kills the entry.</summary>
    public long Ticket => Volatile.Read(ref _ticket);

    /// <summary>UTC ticks at which the entry dies; moves forward with each use of a sliding entry, never beyond the absolute limit.</summary>
    public long Deadline
    {
        get => Volatile.Read(ref _deadline);
        set => Volatile.Write(ref _deadline, value);
    }

    /// <summary>What the application has said that a hit saves. Whoever asks first writes it; asking twice gives the same.</summary>
    public int SavedPerHit
    {
        get => Volatile.Read(ref _savedPerHit);
        set => Volatile.Write(ref _savedPerHit, value);
    }

    /// <summary>Gives the entry its numbers; once when it is accepted and once more if the store opens afterwards.</summary>
    public void Number(long sequence, long ticket)
    {
        Volatile.Write(ref _ticket, ticket);
        Volatile.Write(ref _sequence, sequence);
    }

    /// <summary>Whether this is the entry's key.</summary>
    public bool Has(in CacheKey key) => string.Equals(_text, key.Text) && _space == key.Space;

    public bool IsExpired(long nowTicks) => Deadline <= nowTicks;
}
