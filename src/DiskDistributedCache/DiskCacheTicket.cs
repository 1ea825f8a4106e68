using DiskDistributedCache.Entries;

namespace DiskDistributedCache;

/// <summary>
/// The moment at which the making of a value began: see <see cref="DiskCache.TakeTicket"/>. Belongs to the cache that gave it. It may be
/// kept for as long as needed and used for any number of values.
/// </summary>
public readonly struct DiskCacheTicket : IEquatable<DiskCacheTicket>
{
    private readonly DiskCache? _cache;

    internal DiskCacheTicket(DiskCache cache, Ticket ticket) => (_cache, Ticket) = (cache, ticket);

    internal Ticket Ticket { get; }

    /// <summary>Whether two tickets are of the same moment of the same cache.</summary>
    public static bool operator ==(DiskCacheTicket left, DiskCacheTicket right) => left.Equals(right);

    /// <summary>Whether two tickets are not of the same moment of the same cache.</summary>
    public static bool operator !=(DiskCacheTicket left, DiskCacheTicket right) => !left.Equals(right);

    /// <inheritdoc/>
    public bool Equals(DiskCacheTicket other) =>
        _cache == other._cache && Ticket.Number == other.Ticket.Number && Ticket.WasStarting == other.Ticket.WasStarting;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is DiskCacheTicket other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_cache, Ticket.Number);

    internal bool IsOf(DiskCache cache) => _cache == cache;
}
