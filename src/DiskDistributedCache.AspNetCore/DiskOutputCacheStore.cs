using System.Buffers;
using System.IO.Pipelines;
using DiskDistributedCache.Entries;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace DiskDistributedCache.AspNetCore;

/// <summary>
/// The output-cache store over a <see cref="DiskCache"/>, in a key space of its own. It neither fails nor waits when the
/// disk does. The token is the abort of one client's request, and others may wait for the same lookup, so it counts at
/// entry only. There it matters: the middleware may hand over the cut-off body of an aborted request, with a token that
/// is cancelled already, and that must not be stored.
///
/// A response is stored under the ticket that was taken before it was looked up (<see cref="RenderTicketPolicy"/>), so that an eviction
/// that came while it was rendered kills it.
/// </summary>
internal sealed class DiskOutputCacheStore(DiskCache cache, IHttpContextAccessor? http = null) : IOutputCacheBufferStore
{
    public ValueTask EvictByTagAsync(string tag, CancellationToken cancellationToken) =>
        cache.EvictByTagAsync(tag, cancellationToken);

    /// <summary>
    /// Hands out the entry's own array: the middleware only reads it, and no entry is ever written to again. It asks in this way for every response, which is
    /// why responses are kept in one array, however long they are.
    /// </summary>
    public async ValueTask<byte[]?> GetAsync(string key, CancellationToken cancellationToken) =>
        cache.TryCopyNow(KeySpace.Output, key, cancellationToken)
        ?? (await cache.FindAsync(KeySpace.Output, key, cancellationToken).ConfigureAwait(false))?.Value.AsArray();

    public async ValueTask<bool> TryGetAsync(string key, PipeWriter destination, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(destination);
        var entry = await cache.FindAsync(KeySpace.Output, key, cancellationToken).ConfigureAwait(false);
        if (entry is null)
        {
            return false;
        }

        destination.WritePieces(entry.Value);
        await destination.FlushAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    public async ValueTask SetAsync(
        string key,
        byte[] value,
        string[]? tags,
        TimeSpan validFor,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        await StoreAsync(key, new ReadOnlySequence<byte>(value), tags, validFor, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        ReadOnlyMemory<string> tags,
        TimeSpan validFor,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        await StoreAsync(key, value, tags.ToArray(), validFor, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask StoreAsync(string key, in ReadOnlySequence<byte> value, string[]? tags, TimeSpan validFor, CancellationToken token)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(validFor, TimeSpan.Zero);
        string[] ownTags = EntryArguments.CopyTags(tags);
        token.ThrowIfCancellationRequested();
        var expiry = Expiry.None with { AbsoluteTicks = Expiry.Add(cache.Clock.NowTicks, validFor.Ticks) };
        return cache.StoreAsync(new CacheKey(KeySpace.Output, key), value, ownTags, expiry, RenderTicket.Of(http));
    }
}
