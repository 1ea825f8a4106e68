using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Storage;

internal enum DecodeOutcome
{
    Decoded = 0,

    /// <summary>What is stored is not what it says it is.</summary>
    Corrupt = 1,

    /// <summary>Its key is gone, it was changed, it belongs to another key or store, or it is not protected and should be.</summary>
    Undecryptable = 2,

    /// <summary>The keys cannot be had at the moment.</summary>
    KeysUnavailable = 3,

    /// <summary>Larger than a value may be today.</summary>
    TooLarge = 4,
}

/// <summary>
/// What happens to a value between memory and disk: it is compressed, then protected (encrypted and authenticated); and back. Memory
/// always has the value itself.
///
/// Where: a value is encoded by its caller, before it waits for the disk, and decoded by whoever has read it. What waits for long is
/// kept in memory only as the value, and what was set before the store was open, or is written back after an outage, has not been
/// encoded for this store: the writer lane encodes those.
///
/// Binding: what is protected begins with a digest of store, key, tags and limits (<c>docs/format.md</c>), so that a record which
/// was put in another place is no value there.
///
/// Faults: compression has none. A value that cannot be protected is refused, which leaves a removal in the log; it is never written
/// in clear text. After a failure the protector is left alone for a moment; so that a lost key ring is not told from one that is away
/// by the kind of an exception alone, it has to show with bytes of our own that it works before bytes of others count as lost.
/// </summary>
internal sealed class ValueCodec
{
    public const int BindingBytes = SHA256.HashSizeInBytes;

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);

    private readonly RecordCodec _codec;
    private readonly int _thresholdBytes;
    private readonly long _maxValueBytes;
    private readonly DiskCacheProtector? _protector;
    private readonly CacheClock? _clock;
    private readonly ILogger? _logger;
    private volatile StoreBinding? _store;

    // Changed by interlocked operations.
    private long _pausedUntil;
    private int _isFailing;
    private int _hasRefused;

    public ValueCodec(DiskDistributedCacheOptions options, CacheClock clock, ILogger logger)
    {
        _codec = options.Compression switch
        {
            DiskCacheCompression.GZip => RecordCodec.GZip,
            DiskCacheCompression.Brotli => RecordCodec.Brotli,
            _ => RecordCodec.None,
        };
        _thresholdBytes = options.CompressionThresholdBytes;
        _maxValueBytes = options.MaxEntryBytes;
        (_protector, _clock, _logger) = (options.GetProtector(), clock, logger);
    }

    private ValueCodec() => _maxValueBytes = long.MaxValue;

    /// <summary>Writes values as they are. Reads whatever is not protected.</summary>
    public static ValueCodec Plain { get; } = new();

    public bool Protects => _protector is not null;

    /// <summary>Whether values are written as they are.</summary>
    public bool IsPlain => _protector is null && _codec == RecordCodec.None;

    /// <summary>The store that values are protected for from here on.</summary>
    public void Use(Guid storeId)
    {
        if (Protects)
        {
            _store = new StoreBinding(storeId);
        }
    }

    /// <summary>Whether values were refused since this was last asked, and the protector may be tried again.</summary>
    public bool TakeRefused() => !IsPaused && Interlocked.Exchange(ref _hasRefused, 0) != 0;

    /// <summary>Encodes the value of a mutation, unless that has been done for this store. Does not throw.</summary>
    public void Encode(Mutation mutation)
    {
        if (!IsPlain && mutation.Entry is { } entry && mutation.Stored?.IsFor(_store) != true)
        {
            mutation.Stored = Encode(entry);
        }
    }

    /// <summary>Decodes the value of a verified record of this key, tags included. Does not throw.</summary>
    /// <param name="record">Begins with the record.</param>
    /// <param name="header">Its header.</param>
    /// <param name="value">The value, where it could be decoded.</param>
    public DecodeOutcome Decode(byte[] record, in RecordHeader header, out EntryValue value)
    {
        value = default;
        var stored = new ArraySegment<byte>(record, RecordFormat.HeaderBytes + header.KeyBytes + header.TagsBytes, header.StoredBytes);
        if (header.IsProtected != IsToBeProtected(header.Space))
        {
            return DecodeOutcome.Undecryptable;
        }

        if (header.RawBytes > _maxValueBytes && (header.IsProtected || header.Codec != RecordCodec.None))
        {
            return DecodeOutcome.TooLarge;
        }

        if (header.IsProtected)
        {
            var outcome = Unprotect(stored, BindingOf(record, header, _store), out stored);
            if (outcome != DecodeOutcome.Decoded)
            {
                return outcome;
            }
        }

        if (header.Codec == RecordCodec.None)
        {
            value = EntryValue.CopyOf(stored, header.Space);
            return value.Length == header.RawBytes ? DecodeOutcome.Decoded : DecodeOutcome.Corrupt;
        }

        return TryDecompress(header, stored, out value) ? DecodeOutcome.Decoded : DecodeOutcome.Corrupt;
    }

    private static bool TryDecompress(in RecordHeader header, ArraySegment<byte> stored, out EntryValue value)
    {
        value = default;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(header.RawBytes);
        try
        {
            var whole = buffer.AsSpan(0, header.RawBytes);
            if (!Compression.TryDecompress(header.Codec, stored, whole))
            {
                return false;
            }

            value = EntryValue.CopyOf(whole, header.Space);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: header.IsProtected);
        }
    }

    /// <summary>Whether the values of a key space may be on disk in protected form only. The cache's own probe is random bytes.</summary>
    public bool IsToBeProtected(KeySpace space) => Protects && space != KeySpace.Probe;

    /// <summary>Whether the protector is left alone for a moment.</summary>
    public bool IsPaused => Volatile.Read(ref _pausedUntil) > _clock!.NowTicks;

    private StoredValue Encode(CacheEntry entry)
    {
        bool isProtected = IsToBeProtected(entry.Key.Space);
        int bindingBytes = isProtected ? BindingBytes : 0;
        byte[]? compressed = _codec != RecordCodec.None && entry.Value.Length >= _thresholdBytes
            ? TryCompress(entry.Value, bindingBytes)
            : null;
        var codec = compressed is null ? RecordCodec.None : _codec;
        if (isProtected)
        {
            return Protect(entry, compressed ?? BehindRoom(entry.Value, bindingBytes), codec);
        }

        return new StoredValue(compressed is null ? entry.Value : compressed, codec, entry.Value.Length, isProtected: false, null);
    }

    private byte[]? TryCompress(in EntryValue value, int bindingBytes)
    {
        if (value.Whole is { } whole)
        {
            return Compression.TryCompress(_codec, whole, bindingBytes);
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(value.Length);
        try
        {
            value.CopyTo(buffer);
            return Compression.TryCompress(_codec, buffer.AsSpan(0, value.Length), bindingBytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: Protects);
        }
    }

    private static byte[] BehindRoom(in EntryValue value, int freeBytes)
    {
        byte[] bytes = new byte[freeBytes + value.Length];
        value.CopyTo(bytes.AsSpan(freeBytes));
        return bytes;
    }

    /// <param name="entry">Whose value it is.</param>
    /// <param name="bytes">The value, behind room for its binding.</param>
    /// <param name="codec">How it is compressed.</param>
    private StoredValue Protect(CacheEntry entry, byte[] bytes, RecordCodec codec)
    {
        if (_store is { } store && !IsPaused)
        {
            try
            {
                BindingOf(entry, codec, store).CopyTo(bytes, 0);
                if (_protector!.Protect(bytes) is { Length: > 0 } protectedBytes)
                {
                    Succeed();
                    return new StoredValue(protectedBytes, codec, entry.Value.Length, isProtected: true, store);
                }

                throw new CryptographicException("The protector returned nothing.");
            }
            catch (Exception) when (Works())
            {
                // It is this value that it does not take, and will not take: neither the others nor the disk pay for it.
                return StoredValue.Refused;
            }
            catch (Exception exception)
            {
                Pause(exception);
            }
        }

        Volatile.Write(ref _hasRefused, 1);
        return StoredValue.Refused;
    }

    private DecodeOutcome Unprotect(ArraySegment<byte> stored, byte[] binding, out ArraySegment<byte> value)
    {
        value = [];
        if (IsPaused)
        {
            return DecodeOutcome.KeysUnavailable;
        }

        try
        {
            byte[] bytes = _protector!.Unprotect(stored.ToArray());
            Succeed();
            if (bytes is null || bytes.Length < BindingBytes || !bytes.AsSpan(0, BindingBytes).SequenceEqual(binding))
            {
                return DecodeOutcome.Undecryptable;
            }

            value = new ArraySegment<byte>(bytes, BindingBytes, bytes.Length - BindingBytes);
            return DecodeOutcome.Decoded;
        }
        catch (CryptographicException) when (Works())
        {
            return DecodeOutcome.Undecryptable;
        }
        catch (Exception exception)
        {
            Pause(exception);
            return DecodeOutcome.KeysUnavailable;
        }
    }

    /// <summary>Whether the protector takes back what it has just made of bytes of our own.</summary>
    private bool Works()
    {
        try
        {
            byte[] canary = RandomNumberGenerator.GetBytes(BindingBytes);
            return _protector!.Unprotect(_protector.Protect(canary)).AsSpan().SequenceEqual(canary);
        }
        catch (Exception)
        {
            // It does not; whoever asks has an exception to tell of.
            return false;
        }
    }

    private void Pause(Exception exception)
    {
        Volatile.Write(ref _pausedUntil, _clock!.NowTicks + s_pause.Ticks);
        if (Interlocked.Exchange(ref _isFailing, 1) == 0)
        {
            Log.KeysUnavailable(_logger!, exception);
        }
    }

    private void Succeed()
    {
        if (_isFailing != 0 && Interlocked.Exchange(ref _isFailing, 0) != 0)
        {
            Log.KeysAvailable(_logger!);
        }
    }

    private static byte[] BindingOf(CacheEntry entry, RecordCodec codec, StoreBinding store)
    {
        int tagsBytes = (int)RecordFormat.TagsLength(entry.Tags);
        int keyBytes = 2 * entry.Key.Text.Length;
        byte[] keyAndTags = new byte[keyBytes + tagsBytes];
        MemoryMarshal.AsBytes(entry.Key.Text.AsSpan()).CopyTo(keyAndTags);
        RecordFormat.WriteTags(keyAndTags.AsSpan(keyBytes), entry.Tags);
        var header = new RecordHeader
        {
            Space = entry.Key.Space,
            Codec = codec,
            KeyBytes = keyBytes,
            RawBytes = entry.Value.Length,
            AbsoluteExpiry = entry.Expiry.AbsoluteTicks,
            SlidingTicks = entry.Expiry.SlidingTicks,
        };
        return BindingOf(header, keyAndTags, store);
    }

    private static byte[] BindingOf(byte[] record, in RecordHeader header, StoreBinding? store) =>
        BindingOf(header, record.AsSpan(RecordFormat.HeaderBytes, header.KeyBytes + header.TagsBytes), store);

    /// <summary>The digest of docs/format.md.</summary>
    private static byte[] BindingOf(in RecordHeader header, ReadOnlySpan<byte> keyAndTags, StoreBinding? store)
    {
        const int FixedBytes = 16 + 4 + 4 + 4 + 8 + 8;
        byte[] bound = new byte[FixedBytes + keyAndTags.Length];
        (store?.StoreId ?? Guid.Empty).TryWriteBytes(bound);
        bound[16] = (byte)header.Space;
        bound[17] = (byte)header.Codec;
        BinaryPrimitives.WriteInt32LittleEndian(bound.AsSpan(20), header.RawBytes);
        BinaryPrimitives.WriteInt32LittleEndian(bound.AsSpan(24), header.KeyBytes);
        BinaryPrimitives.WriteInt64LittleEndian(bound.AsSpan(28), header.AbsoluteExpiry);
        BinaryPrimitives.WriteInt64LittleEndian(bound.AsSpan(36), header.SlidingTicks);
        keyAndTags.CopyTo(bound.AsSpan(FixedBytes));
        return SHA256.HashData(bound);
    }
}
