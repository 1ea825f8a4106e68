using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache;

// Values that take time to make, and what happens to their data meanwhile.
public sealed partial class DiskCache
{
    /// <summary>
    /// Notes the moment at which the making of a value begins, before its data are read. A value that is stored with the ticket is
    /// killed by every <see cref="EvictByTagAsync"/> of one of its tags, and every <see cref="ClearAsync"/>, that comes after this
    /// moment, also by one that comes before the value is stored: it may have been made from data that the eviction was about.
    /// </summary>
    /// <remarks>Costs no more than reading a number. Output caching takes tickets by itself.</remarks>
    public DiskCacheTicket TakeTicket() => new(this, _tiers.TakeTicket());

    /// <summary>
    /// Stores a value that was made from data which were read after the ticket was taken. Where one of its tags was evicted since, or
    /// everything cleared, the value is not stored, and what the key had goes too.
    /// </summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <param name="value">The value, which may be empty.</param>
    /// <param name="options">When the entry expires; without any limit it stays until its space is needed.</param>
    /// <param name="tags">The tags of the entry; see the overload without a ticket.</param>
    /// <param name="ticket">From <see cref="TakeTicket"/> of this cache.</param>
    /// <param name="token">Checked before anything is done.</param>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">
    /// The ticket is not of this cache; a tag is <see langword="null"/>, or there are more than 1,000.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The absolute expiration is not in the future.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was stored.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags,
        DiskCacheTicket ticket,
        CancellationToken token) =>
        BeginSet(key, value, options, tags, ticket, token);

    /// <inheritdoc cref="SetAsync(string, ReadOnlySequence{byte}, DistributedCacheEntryOptions, IEnumerable{string}, DiskCacheTicket, CancellationToken)"/>
    public Task SetAsync(
        string key,
        byte[] value,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags,
        DiskCacheTicket ticket,
        CancellationToken token) =>
        BeginSet(key, value is null ? null : new ReadOnlySequence<byte>(value), options, tags, ticket, token).AsTask();

    private void ThrowIfForeign(in DiskCacheTicket? ticket)
    {
        if (ticket is { } given && !given.IsOf(this))
        {
            throw new ArgumentException("The ticket was not taken from this cache. Use DiskCache.TakeTicket().", nameof(ticket));
        }
    }
}
