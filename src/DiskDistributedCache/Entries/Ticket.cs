namespace DiskDistributedCache.Entries;

/// <summary>
/// The place in the order of mutations at which the making of a value began: every eviction that comes later kills the value.
/// Default: none, and the value counts as made when it is stored.
/// </summary>
internal readonly struct Ticket
{
    // One more than the number, so that the default is none.
    private readonly long _next;

    private Ticket(long next, bool wasStarting) => (_next, WasStarting) = (next, wasStarting);

    public bool IsTaken => _next > 0;

    /// <summary>The number of the last mutation when the ticket was taken.</summary>
    public long Number => _next - 1;

    /// <summary>Whether the store was not open then. If it is now, numbers have changed since.</summary>
    public bool WasStarting { get; }

    public static Ticket At(long sequence, bool isStarting) => new(sequence + 1, isStarting);
}
