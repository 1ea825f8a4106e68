using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.IO.Abstractions;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tiers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>
/// A persistent cache on one machine: a memory tier in front of a disk tier. A read returns a value that was stored for
/// exactly that key, bit for bit, not expired and not older than the last acknowledged overwrite, removal or tag eviction;
/// otherwise it is a miss. Trouble with the disk reaches the caller neither as an exception nor as waiting time beyond
/// <see cref="DiskDistributedCacheOptions.IoTimeout"/>; but for reads that must not call unknown a miss
/// (<see cref="DiskCacheUnavailableException"/>). The cache may forget; it never lies.
/// </summary>
/// <remarks>
/// <para>
/// Keys are any text that is not <see langword="null"/>, compared ordinally. Values and tags are copied before a call
/// returns, and what a call returns belongs to the caller. Where an absolute and a relative expiration are both given, the
/// earlier one rules; an entry is dead as soon as its deadline is reached. A value larger than
/// <see cref="DiskDistributedCacheOptions.MaxEntryBytes"/> is not stored, and an older version of its key goes too.
/// </para>
/// <para>
/// Every call checks, in this order: its arguments (<see cref="ArgumentException"/> and the kinds derived from it), its
/// token (<see cref="OperationCanceledException"/>), whether the cache has been disposed of
/// (<see cref="ObjectDisposedException"/>), and that an absolute expiration is in the future
/// (<see cref="ArgumentOutOfRangeException"/>). A token counts at entry only (that of <see cref="ListAsync"/> between entries as well): an operation that has begun is finished.
/// </para>
/// <para>
/// All members may be called at the same time from any thread. Synchronous members use no thread of the pool. The store is
/// opened by the host, or without one by the first use, which waits for it no longer than
/// <see cref="DiskDistributedCacheOptions.IoTimeout"/>.
/// </para>
/// </remarks>
public sealed partial class DiskCache : IBufferDistributedCache, IDisposable, IAsyncDisposable
{
    private readonly TieredCache _tiers;
    private readonly Savings _savings;
    private readonly TimeSpan _ioTimeout;
    private readonly string? _prefix;
    private readonly DefaultExpiry _defaults;
    private readonly bool _throwsOnUnknown;

    // Only ever go from false to true.
    private volatile bool _startAwaited;
    private volatile bool _closed;
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _disposals;

    /// <summary>Creates a cache without a container. Nothing is opened yet.</summary>
    /// <param name="options">The settings. They are copied; later changes have no effect.</param>
    /// <param name="fileSystem">Where the disk tier lives. Default: the real file system.</param>
    /// <param name="timeProvider">The clock of expiry and of everything periodic. Default: the system's.</param>
    /// <param name="loggerFactory">Where faults and changes of mode are logged. Default: nowhere.</param>
    /// <param name="meterFactory">Makes the meter <c>DiskDistributedCache</c>. Default: the cache has one of its own.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is <see langword="null"/>.</exception>
    /// <exception cref="OptionsValidationException">A setting is out of range.</exception>
    public DiskCache(
        IOptions<DiskDistributedCacheOptions> options,
        IFileSystem? fileSystem = null,
        TimeProvider? timeProvider = null,
        ILoggerFactory? loggerFactory = null,
        IMeterFactory? meterFactory = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var settings = options.Value.Snapshot();
        settings.Directory ??= DefaultDirectory.Find(applicationName: null, contentRoot: null);
        DiskDistributedCacheOptionsValidator.ThrowIfInvalid(settings);

        _ioTimeout = settings.IoTimeout;
        _prefix = string.IsNullOrEmpty(settings.InstanceName) ? null : settings.InstanceName;
        _defaults = new DefaultExpiry(settings.DefaultAbsoluteExpirationRelativeToNow, settings.DefaultSlidingExpiration);
        _throwsOnUnknown = settings.OnUnknown == UnknownRead.Throw;
        loggerFactory ??= NullLoggerFactory.Instance;
        var metrics = new CacheMetrics(meterFactory, settings.Name ?? CacheMetrics.DefaultName);
        _savings = new Savings(settings, metrics, loggerFactory);
        _tiers = new TieredCache(settings, fileSystem ?? new FileSystem(), timeProvider ?? TimeProvider.System, loggerFactory, metrics);
    }

    /// <summary>Returns a copy of the value of a key, or <see langword="null"/>. A sliding entry starts its window anew.</summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is <see langword="null"/>.</exception>
    /// <exception cref="DiskCacheUnavailableException">
    /// The disk could not be asked, and a miss must not be told: <see cref="DiskDistributedCacheOptions.OnUnknown"/> says so, or the key is
    /// one that is retained.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public byte[]? Get(string key) => TryCopyNow(KeySpace.Data, key, CancellationToken.None) ?? Copy(Find(key));

    /// <inheritdoc cref="Get(string)"/>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call.</exception>
    public async Task<byte[]?> GetAsync(string key, CancellationToken token = default) =>
        TryCopyNow(KeySpace.Data, key, token) ?? Copy(await FindAsync(KeySpace.Data, key, token).ConfigureAwait(false));

    /// <summary>
    /// Writes the value of a key to a writer. Without a value, nothing is written. On a memory hit no lock is taken, and nothing is
    /// allocated unless <see cref="DiskDistributedCacheOptions.InstanceName"/> or <see cref="DiskDistributedCacheOptions.SavedPerHit"/> is set. An exception of the writer is passed on to the caller.
    /// </summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <param name="destination">Receives the value.</param>
    /// <returns>Whether there was a value, which may be empty.</returns>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    /// <exception cref="DiskCacheUnavailableException">As for <see cref="Get"/>.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public bool TryGet(string key, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(destination);
        return TryCopyNow(key, destination, CancellationToken.None) || Write(Find(key), destination);
    }

    /// <inheritdoc cref="TryGet(string, IBufferWriter{byte})"/>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call.</exception>
    public ValueTask<bool> TryGetAsync(string key, IBufferWriter<byte> destination, CancellationToken token = default)
    {
        try
        {
            if (destination is not null && TryCopyNow(key, destination, token))
            {
                return new ValueTask<bool>(true);
            }

            bool isUnknown = false;
            return destination is not null && TryFindNow(KeySpace.Data, key, token, out var entry, out isUnknown)
                ? new ValueTask<bool>(Write(entry, destination))
                : FindAndWriteAsync(key, destination, isUnknown, token);
        }
        catch (Exception exception)
        {
            return ValueTask.FromException<bool>(exception);
        }
    }

    /// <summary>Stores a value in place of what the key had: value, expiry and tags.</summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <param name="value">The value, which may be empty.</param>
    /// <param name="options">When the entry expires; without any limit it stays until its space is needed.</param>
    /// <exception cref="ArgumentNullException">An argument is <see langword="null"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The absolute expiration is not in the future.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        Set(key, new ReadOnlySequence<byte>(value), options);
    }

    /// <inheritdoc cref="Set(string, byte[], DistributedCacheEntryOptions)"/>
    public void Set(string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(options);
        ObjectDisposedException.ThrowIf(_closed, this);
        var expiry = EntryArguments.ExpiryOf(options, _defaults, _tiers.Clock);
        AwaitStart();
        Store(DataKey(key), value.Length, EntryArguments.CopyValue(value, KeySpace.Data, _tiers.MaxEntryBytes), [], expiry, default).Wait();
    }

    /// <inheritdoc cref="Set(string, byte[], DistributedCacheEntryOptions)"/>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was stored.</exception>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The interfaces have these defaults.")]
    public Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default) =>
        SetAsync(key, value, options, tags: null, token);

    /// <inheritdoc cref="SetAsync(string, byte[], DistributedCacheEntryOptions, CancellationToken)"/>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The interfaces have these defaults.")]
    public ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        CancellationToken token = default) =>
        SetAsync(key, value, options, tags: null, token);

    /// <inheritdoc cref="SetAsync(string, byte[], DistributedCacheEntryOptions, CancellationToken)"/>
    /// <param name="key">Any text, also the empty one.</param>
    /// <param name="value">The value, which may be empty.</param>
    /// <param name="options">When the entry expires; without any limit it stays until its space is needed.</param>
    /// <param name="tags">
    /// The names by which <see cref="EvictByTagAsync"/> finds the entry, any text, compared ordinally.
    /// <see langword="null"/> and empty both mean none. They replace the tags that the key had.
    /// </param>
    /// <param name="token">Checked before anything is done.</param>
    /// <exception cref="ArgumentException">A tag is <see langword="null"/>, or there are more than 1,000.</exception>
    public Task SetAsync(
        string key,
        byte[] value,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags,
        CancellationToken token) =>
        BeginSet(key, value is null ? null : new ReadOnlySequence<byte>(value), options, tags, ticket: null, token).AsTask();

    /// <inheritdoc cref="SetAsync(string, byte[], DistributedCacheEntryOptions, IEnumerable{string}, CancellationToken)"/>
    public ValueTask SetAsync(
        string key,
        ReadOnlySequence<byte> value,
        DistributedCacheEntryOptions options,
        IEnumerable<string>? tags,
        CancellationToken token) =>
        BeginSet(key, value, options, tags, ticket: null, token);

    /// <summary>Starts the window of a sliding entry anew. Does nothing for other entries and for keys without one.</summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is <see langword="null"/>.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public void Refresh(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        ObjectDisposedException.ThrowIf(_closed, this);
        AwaitStart();
        _tiers.Get(DataKey(key), isServed: false);
    }

    /// <inheritdoc cref="Refresh(string)"/>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call.</exception>
    public async Task RefreshAsync(string key, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        await EnterAsync(token).ConfigureAwait(false);
        await _tiers.GetAsync(DataKey(key), isServed: false).ConfigureAwait(false);
    }

    /// <summary>Removes a key. Does nothing where there is no entry.</summary>
    /// <param name="key">Any text, also the empty one.</param>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is <see langword="null"/>.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public void Remove(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        ObjectDisposedException.ThrowIf(_closed, this);
        AwaitStart();
        _tiers.Remove(DataKey(key)).Wait();
    }

    /// <inheritdoc cref="Remove(string)"/>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was removed.</exception>
    public async Task RemoveAsync(string key, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        await EnterAsync(token).ConfigureAwait(false);
        await _tiers.Remove(DataKey(key)).AsValueTask().ConfigureAwait(false);
    }

    /// <summary>
    /// Evicts every entry that carries a tag, entries of the distributed cache and of the output cache alike. The cost does
    /// not depend on how many there are. Entries that are stored afterwards are not affected.
    /// </summary>
    /// <param name="tag">The tag, compared ordinally; any text, also the empty one.</param>
    /// <param name="token">Checked before anything is done.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tag"/> is <see langword="null"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was evicted.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public async ValueTask EvictByTagAsync(string tag, CancellationToken token = default)
    {
        ArgumentNullException.ThrowIfNull(tag);
        await EnterAsync(token).ConfigureAwait(false);
        await _tiers.EvictByTag(tag).AsValueTask().ConfigureAwait(false);
    }

    /// <summary>Removes every entry, those of the output cache too.</summary>
    /// <param name="token">Checked before anything is done.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled before the call; nothing was removed.</exception>
    /// <exception cref="ObjectDisposedException">The cache has been disposed of.</exception>
    public async ValueTask ClearAsync(CancellationToken token = default)
    {
        await EnterAsync(token).ConfigureAwait(false);
        await _tiers.Clear().AsValueTask().ConfigureAwait(false);
    }

    /// <summary>Returns what the cache does at present and what it has counted. Works after disposal too.</summary>
    public DiskCacheStatus GetStatus() => _tiers.GetStatus();

    /// <summary>
    /// Lists what did not verify and was dropped, in this run and in earlier ones: at most 1,024 pieces, the newest last. Empty until the
    /// store is open. Does no I/O, and works after disposal too.
    /// </summary>
    public IReadOnlyList<QuarantinedRecord> GetQuarantine() => _tiers.GetQuarantine();

    /// <summary>
    /// Writes what is under way, closes the store and lets go of its directory. Further calls wait for the first. Returns within some 10 s and a quarter of <see cref="DiskDistributedCacheOptions.IoTimeout"/>
    /// where the disk hangs; then the store is not closed clean, and its directory is let go when the disk has answered. Never throws because of the disk.
    /// </summary>
    public void Dispose()
    {
        _closed = true;
        if (Interlocked.Increment(ref _disposals) > 1)
        {
            Task.WaitAny(_disposed.Task);
            return;
        }

        try
        {
            _tiers.Dispose();
        }
        finally
        {
            _disposed.SetResult();
        }
    }

    /// <inheritdoc cref="Dispose"/>
    public async ValueTask DisposeAsync()
    {
        _closed = true;
        if (Interlocked.Increment(ref _disposals) > 1)
        {
            await _disposed.Task.ConfigureAwait(false);
            return;
        }

        try
        {
            await _tiers.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _disposed.SetResult();
        }
    }
}
