using System.Buffers;
using System.Runtime.CompilerServices;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache;

// Many keys in one call, or all of them.
public sealed partial class DiskCache
{
    private const int KeysAtATime = 32;

    /// <summary>
    /// Looks many keys up, 32 at a time, so that others are not kept from the disk. Each answers as <see cref="GetAsync"/> does.
    /// </summary>
    /// <param name="keys">Any texts, also repeated ones.</param>
    /// <param name="token">Checked before anything is done.</param>
    /// <returns>Copies of the values, by key, of the keys that have one. The keys are compared ordinally.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="keys"/> is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">A key is <see langword="null"/>.</exception>
    /// <exception cref="DiskCacheUnavailableException">As for <see cref="GetAsync"/>, of any of the keys.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public async ValueTask<IReadOnlyDictionary<string, byte[]>> GetManyAsync(
        IEnumerable<string> keys, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        string[] own = [.. keys.Distinct(StringComparer.Ordinal)];
        if (own.Contains(null))
        {
            throw new ArgumentException("A key must not be null.", nameof(keys));
        }

        await EnterAsync(token).ConfigureAwait(false);
        var found = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string[] some in own.Chunk(KeysAtATime))
        {
            var lookups = Array.ConvertAll(some, key => FindAsync(KeySpace.Data, key, CancellationToken.None).AsTask());
            await Task.WhenAll(lookups).ConfigureAwait(false);
            for (int i = 0; i < some.Length; i++)
            {
                if (Copy(await lookups[i].ConfigureAwait(false)) is { } value)
                {
                    found.Add(some[i], value);
                }
            }
        }

        return found;
    }

    /// <summary>
    /// Stores many values, each in place of what its key had. They are written in as few batches as they fit into. The call returns when all
    /// of them are acknowledged; readers may see some before others.
    /// </summary>
    /// <param name="entries">Keys and values. Of a key that is repeated the last value stays.</param>
    /// <param name="options">When the entries expire; without any limit they stay until their space is needed.</param>
    /// <param name="tags">The tags of every one of the entries; <see langword="null"/> and empty both mean none.</param>
    /// <param name="token">Checked before anything is done.</param>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentException">
    /// A key, a value or a tag is <see langword="null"/>, or there are more than 1,000 tags; nothing was stored.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The absolute expiration is not in the future.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was stored.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public async ValueTask SetManyAsync(
        IEnumerable<KeyValuePair<string, byte[]>> entries,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags = null,
        CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(options);
        var last = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (key, value) in entries)
        {
            last[key ?? throw NullEntry()] = value ?? throw NullEntry();
        }

        var ownTags = EntryArguments.CopyTags(tags);
        token.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_closed, this);
        var expiry = EntryArguments.ExpiryOf(options, _defaults, _tiers.Clock);

        // All of the values are copied before any wait.
        var stored = last.Select(entry =>
            StoreAsync(DataKey(entry.Key), new ReadOnlySequence<byte>(entry.Value), ownTags, expiry, default).AsTask()).ToList();
        await Task.WhenAll(stored).ConfigureAwait(false);

        static ArgumentException NullEntry() => new("A key or a value must not be null.", nameof(entries));
    }

    /// <summary>
    /// Lists the entries of this instance, and those of the output cache, without reading their values as a caller would: nothing is promoted, counted as
    /// used, or kept from expiring.
    /// </summary>
    /// <remarks>
    /// The cache goes on meanwhile, and nothing waits for the listing: an entry that is stored, removed or moved between the tiers while the
    /// list is read may be in it or not, or twice. What memory has comes first; each entry that only the disk has costs a read of at most
    /// 64 KiB, of which the tags of longer records are not verified. Entries that the disk does not give at present are left out, and those
    /// whose key and tags alone are longer than that.
    /// </remarks>
    /// <param name="token">Ends the list between two entries.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public async IAsyncEnumerable<DiskCacheEntryInfo> ListAsync([EnumeratorCancellation] CancellationToken token = default)
    {
        await EnterAsync(token).ConfigureAwait(false);
        await foreach (var (head, tier) in _tiers.ListAsync(token).ConfigureAwait(false))
        {
            token.ThrowIfCancellationRequested();
            if (head.Key.Space == KeySpace.Data && _prefix is not null && !head.Key.Text.StartsWith(_prefix, StringComparison.Ordinal))
            {
                // Another instance's.
                continue;
            }

            yield return new DiskCacheEntryInfo
            {
                Key = head.Key.Space == KeySpace.Data && _prefix is not null ? head.Key.Text[_prefix.Length..] : head.Key.Text,
                IsResponse = head.Key.Space == KeySpace.Output,
                ValueBytes = head.ValueBytes,
                ExpiresAt = head.Deadline > DateTime.MaxValue.Ticks ? null : new DateTimeOffset(head.Deadline, TimeSpan.Zero),
                SlidingExpiration = head.SlidingTicks > 0 ? TimeSpan.FromTicks(head.SlidingTicks) : null,
                Tags = head.Tags.ToArray(),
                Tier = tier,
            };
        }
    }
}
