using System.Buffers;
using System.Runtime.CompilerServices;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache;

// What the public members and the output-cache store in the other assembly are made of.
public sealed partial class DiskCache
{
    private Task? _openAwaited;

    /// <summary>
    /// How long reads wait for the store to open that must not call unknown a miss, all of them together, in real time. HybridCache
    /// waits for 4 s for its first mark, and takes it that everything is invalidated when it does not get it.
    /// </summary>
    internal TimeSpan OpenTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Begins to open the store. The task completes when it is open, or has turned out not to open.</summary>
    internal Task StartAsync() => _tiers.StartAsync();

    /// <summary>Writes and syncs what is under way without closing.</summary>
    internal Task DrainAsync() => _tiers.DrainAsync();

    internal CacheClock Clock => _tiers.Clock;

    /// <summary>For tests, which take the steps of the monitor one by one.</summary>
    internal TieredCache Tiers => _tiers;

    /// <summary>Looks an entry up. Its arrays are shared: they must not be written to.</summary>
    internal ValueTask<CacheEntry?> FindAsync(KeySpace space, string key, CancellationToken token) =>
        TryFindNow(space, key, token, out var entry, out bool isUnknown)
            ? new ValueTask<CacheEntry?>(entry)
            : FindSlowlyAsync(space, key, isUnknown, token);

    /// <summary>
    /// Stores an entry whose arguments were checked. The value is copied before the call returns, the tags are kept. Not async, and neither is what is between it
    /// and the lane once the cache has started, unless somebody traces it: a state machine for each step would cost as much as the rest of a set by many callers.
    /// </summary>
    internal ValueTask StoreAsync(CacheKey key, in ReadOnlySequence<byte> value, string[] tags, Expiry expiry, Ticket ticket)
    {
        try
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            var ownValue = EntryArguments.CopyValue(value, key.Space, _tiers.MaxEntryBytes);
            return _startAwaited
                ? Store(key, value.Length, ownValue, tags, expiry, ticket).AsValueTask()
                : StoreWhenStartedAsync(key, value.Length, ownValue, tags, expiry, ticket);
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    private async ValueTask StoreWhenStartedAsync(CacheKey key, long valueBytes, EntryValue? value, string[] tags, Expiry expiry, Ticket ticket)
    {
        await AwaitStartAsync().ConfigureAwait(false);
        await Store(key, valueBytes, value, tags, expiry, ticket).AsValueTask().ConfigureAwait(false);
    }

    private CacheEntry? Find(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        ObjectDisposedException.ThrowIf(_closed, this);
        AwaitStart();
        var fullKey = DataKey(key);
        return Observe(_tiers.Get(fullKey), fullKey);
    }

    private CacheKey DataKey(string key) => new(KeySpace.Data, _prefix is null ? key : _prefix + key);

    private CacheKey KeyIn(KeySpace space, string key) => space == KeySpace.Data ? DataKey(key) : new CacheKey(space, key);

    /// <summary>
    /// Answers without a state machine what needs neither the disk nor an exception. Where it does not, it says whether the tiers have been asked already and
    /// do not know, which they have counted.
    /// </summary>
    private bool TryFindNow(KeySpace space, string? key, CancellationToken token, out CacheEntry? entry, out bool isUnknown)
    {
        isUnknown = false;
        if (key is not null && _startAwaited && !_closed && !token.IsCancellationRequested
            && KeyIn(space, key) is var fullKey
            && _tiers.TryGetNow(fullKey, out var lookup))
        {
            isUnknown = lookup.Outcome == LookupOutcome.Unknown && MustKnow(fullKey);
            entry = isUnknown ? null : Observe(lookup);
            return !isUnknown;
        }

        entry = null;
        return false;
    }

    /// <summary>Copies a value that nobody keeps without making an entry of it. Null where there is no such value.</summary>
    internal byte[]? TryCopyNow(KeySpace space, string? key, CancellationToken token) =>
        _tiers.KeepsNothing ? TryCopyUnkept(space, key, token) : null;

    // Elsewhere than in the method above, because nearly all caches have a memory tier, and their hits are not to pay for a record that they never see.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte[]? TryCopyUnkept(KeySpace space, string? key, CancellationToken token)
    {
        if (!TryBorrowNow(space, key, token, out var record))
        {
            return null;
        }

        using (record)
        {
            byte[] copy = GC.AllocateUninitializedArray<byte>(record.Value.Length);
            record.Value.CopyTo(copy);
            return copy;
        }
    }

    /// <summary>The same into a writer. False where there is no such value, and nothing was written.</summary>
    private bool TryCopyNow(string? key, IBufferWriter<byte> destination, CancellationToken token) =>
        _tiers.KeepsNothing && TryCopyUnkept(key, destination, token);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryCopyUnkept(string? key, IBufferWriter<byte> destination, CancellationToken token)
    {
        if (!TryBorrowNow(KeySpace.Data, key, token, out var record))
        {
            return false;
        }

        using (record)
        {
            destination.WriteValue(record.Value);
            return true;
        }
    }

    private bool TryBorrowNow(KeySpace space, string? key, CancellationToken token, out BorrowedRecord record)
    {
        record = default;
        if (key is null || !_startAwaited || _closed || _savings.NeedsEntry || token.IsCancellationRequested
            || !_tiers.TryBorrowNow(KeyIn(space, key), out record))
        {
            return false;
        }

        DiskCacheLookup.Record(DiskCacheTier.Disk);
        return true;
    }

    /// <summary>Whether a miss would be taken for the truth.</summary>
    private bool MustKnow(in CacheKey key) => key.Space == KeySpace.Data && (_throwsOnUnknown || _tiers.IsRetained(key));

    /// <param name="space">The space of the key.</param>
    /// <param name="key">The key.</param>
    /// <param name="isUnknown">Whether the tiers have just said that they do not know.</param>
    /// <param name="token">Counts at entry only.</param>
    private async ValueTask<CacheEntry?> FindSlowlyAsync(KeySpace space, string? key, bool isUnknown, CancellationToken token)
    {
        ArgumentNullException.ThrowIfNull(key);
        await EnterAsync(token).ConfigureAwait(false);
        var fullKey = KeyIn(space, key);
        bool wasOpen = !isUnknown && _tiers.Opened.IsCompleted;
        var lookup = isUnknown ? Lookup.Unknown : await _tiers.GetAsync(fullKey).ConfigureAwait(false);
        if (lookup.Outcome == LookupOutcome.Unknown && !wasOpen && _tiers.IsRetained(fullKey))
        {
            await AwaitOpenAsync().ConfigureAwait(false);
            lookup = await _tiers.GetAsync(fullKey).ConfigureAwait(false);
        }

        return Observe(lookup, fullKey);
    }

    private async ValueTask<bool> FindAndWriteAsync(string? key, IBufferWriter<byte>? destination, bool isUnknown, CancellationToken token)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(destination);
        return Write(await FindSlowlyAsync(KeySpace.Data, key, isUnknown, token).ConfigureAwait(false), destination);
    }

    /// <summary>What all asynchronous sets do. Not async: see <see cref="StoreAsync"/>.</summary>
    private ValueTask BeginSet(
        string key,
        in ReadOnlySequence<byte>? value,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags,
        in DiskCacheTicket? ticket,
        CancellationToken token)
    {
        try
        {
            ArgumentNullException.ThrowIfNull(key);
            var given = value ?? throw new ArgumentNullException(nameof(value));
            ArgumentNullException.ThrowIfNull(options);
            var ownTags = EntryArguments.CopyTags(tags);
            ThrowIfForeign(ticket);
            token.ThrowIfCancellationRequested();
            ObjectDisposedException.ThrowIf(_closed, this);
            var expiry = EntryArguments.ExpiryOf(options, _defaults, _tiers.Clock);
            return StoreAsync(DataKey(key), given, ownTags, expiry, ticket?.Ticket ?? default);
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    /// <summary>What an async method would have returned that threw this.</summary>
    private static ValueTask Failed(Exception exception)
    {
        var builder = AsyncValueTaskMethodBuilder.Create();
        builder.SetException(exception);
        return builder.Task;
    }

    private Acknowledgement Store(
        CacheKey key, long valueBytes, EntryValue? value, string[] tags, Expiry expiry, Ticket ticket) => value is { } kept
        ? _tiers.Set(new CacheEntry(key, kept, tags, expiry, expiry.DeadlineFrom(_tiers.Clock.NowTicks)), ticket)
        : _tiers.Refuse(key, valueBytes);

    private ValueTask EnterAsync(CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_closed, this);
        return AwaitStartAsync();
    }

    private void AwaitStart()
    {
        if (!_startAwaited)
        {
            // WaitAny and not Wait: what became of the opening is in the status, not in an exception.
            Task.WaitAny([_tiers.StartAsync()], _ioTimeout);
            _startAwaited = true;
        }
    }

    private ValueTask AwaitStartAsync() => _startAwaited ? ValueTask.CompletedTask : WaitAsync();

    private async ValueTask WaitAsync()
    {
        await _tiers.StartAsync().WaitAsync(_ioTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _startAwaited = true;
    }

    /// <summary>All who need it wait for the same moment: the store opens, or has been waited for long enough.</summary>
    private Task AwaitOpenAsync()
    {
        if (_openAwaited is { } awaited)
        {
            return awaited;
        }

        async Task Await() =>
            await _tiers.Opened.WaitAsync(OpenTimeout).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        return LazyInitializer.EnsureInitialized(ref _openAwaited, Await);
    }

    /// <exception cref="DiskCacheUnavailableException">It is not known what the key has, and the caller must not be told a miss.</exception>
    private CacheEntry? Observe(in Lookup lookup, in CacheKey key)
    {
        var entry = Observe(lookup);
        return lookup.Outcome == LookupOutcome.Unknown && MustKnow(key) ? throw new DiskCacheUnavailableException() : entry;
    }

    /// <summary>Unknown is a miss here: the entry may be there, but the disk could not be asked in time.</summary>
    private CacheEntry? Observe(in Lookup lookup)
    {
        DiskCacheLookup.Record(lookup.Outcome == LookupOutcome.Hit ? lookup.Tier : null);
        if (lookup.Entry is { } entry)
        {
            _savings.Count(entry, lookup.Tier);
        }

        return lookup.Entry;
    }

    private static byte[]? Copy(CacheEntry? entry) => entry?.Value.ToArray();

    private static bool Write(CacheEntry? entry, IBufferWriter<byte> destination)
    {
        if (entry is null)
        {
            return false;
        }

        destination.WriteValue(entry.Value);
        return true;
    }
}
