using System.Buffers;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

internal enum ReadOutcome
{
    Miss = 0,
    Hit = 1,
    Corrupt = 2,

    /// <summary>In order, and nothing that this process can decrypt: gone, and nobody's fault.</summary>
    Undecryptable = 3,

    /// <summary>The keys of the value cannot be had at the moment.</summary>
    KeysUnavailable = 4,
}

/// <summary>
/// Reads one record and believes nothing: header, checksum, sequence number and full key have to be what the index promises. A
/// record that does not verify is read once more, because memory and buses flip bits too; then its bytes go to quarantine and the
/// entry is dropped. Another key under the same hash, or a record that does not verify because the index has moved on and its
/// segment has gone, is a plain miss and nobody's fault. A value that cannot be decrypted is dropped and no fault of the disk either;
/// of the first ones the bytes are kept, which is enough to see that it is the keys.
/// </summary>
internal sealed class RecordReader(SegmentTable segments, EntryIndex index, Quarantine quarantine, ValueCodec codec, Func<CacheKey, long, ulong> hashOf)
{
    private const int Attempts = 2;
    private const int MaxUndecryptableKept = 16;

    /// <summary>Copying more than this costs more than handing the read over to a lane.</summary>
    private const int MaxCachedBytes = 256 << 10;

    /// <summary>For key, tags and lengths a longer record is not read whole, and so not verified beyond its header and key.</summary>
    private const int MaxWholeHeadBytes = 64 << 10;

    private int _undecryptableCount;

    /// <summary>
    /// Reads a version from where the index had it, and tells whoever waits when the disk has answered. Throws what the file system throws.
    /// </summary>
    public ReadOutcome Read(in CacheKey key, IndexedEntry where, PendingRead? pending, out CacheEntry? entry)
    {
        entry = null;
        for (int attempt = 1; ; attempt++)
        {
            if (segments.At(where.Slot) is not { } segment)
            {
                return ReadOutcome.Miss;
            }

            int length = LengthIn(segment, where);
            byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
            try
            {
                pending?.HasAnswered = false;
                int read = ReadBytes(segment, buffer.AsSpan(0, length), where.Offset);
                var record = buffer.AsSpan(0, read);
                pending?.HasAnswered = true;
                bool verifies = Verify(record, segment.Seed.At(where.Offset), where.Sequence, out var header);
                var outcome = verifies ? Decode(buffer, header, key, where.Deadline, out entry) : DecodeOutcome.Corrupt;
                if (outcome != DecodeOutcome.Corrupt)
                {
                    return Judge(outcome, entry, where, segment, record);
                }

                if (!StillThere(where))
                {
                    return ReadOutcome.Miss;
                }

                if (attempt == Attempts)
                {
                    GiveUp(segment, where, record, verifies ? QuarantineReason.PayloadDamaged : ReasonAgainst(record, segment.Seed.At(where.Offset), where));
                    return ReadOutcome.Corrupt;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    /// <summary>
    /// Reads key, tags and lengths of a version, for listing; null where it has moved on, or what was read does not verify. Nothing is given up for
    /// that: whoever wants the value finds it out. Throws what the file system throws.
    /// </summary>
    public EntryHead? ReadHead(in IndexedEntry where, long hashSeed)
    {
        if (segments.At(where.Slot) is not { } segment)
        {
            return null;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(where.Length, MaxWholeHeadBytes));
        try
        {
            var read = buffer.AsSpan(0, ReadBytes(segment, buffer.AsSpan(0, Math.Min(where.Length, buffer.Length)), where.Offset));
            if (!RecordFormat.TryReadHeader(read, segment.Seed.At(where.Offset), out var header)
                || header.Kind != RecordKind.Value
                || header.Sequence != where.Sequence
                || header.KeyBytes + (long)header.TagsBytes > read.Length - RecordFormat.HeaderBytes
                || (where.Length <= read.Length && !RecordFormat.VerifyPayload(read, header, segment.Seed.At(where.Offset))))
            {
                return null;
            }

            var key = new CacheKey(header.Space, RecordFormat.KeyOf(read, header).ToString());
            return hashOf(key, hashSeed) == where.KeyHash && RecordFormat.TagsOf(read, header) is { } tags
                ? new EntryHead(key, tags, header.Sequence, header.Ticket, header.RawBytes, header.SlidingTicks, where.Deadline)
                : null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Reads a version that the operating system has in memory, on the caller's thread and without waiting. False where that does not
    /// give the value, for whatever reason: then a lane reads, and says why.
    /// </summary>
    public bool TryReadCached(in CacheKey key, in IndexedEntry where, out CacheEntry? entry)
    {
        entry = null;
        if (where.Length > MaxCachedBytes || segments.At(where.Slot) is not { } segment)
        {
            return false;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(where.Length);
        var record = buffer.AsSpan(0, where.Length);
        if (segment.File.TryReadCached(record, where.Offset) && Verify(record, segment.Seed.At(where.Offset), where.Sequence, out var header))
        {
            Decode(buffer, header, key, where.Deadline, out entry);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return entry is not null;
    }

    /// <summary>
    /// The same for a value that is stored as it is; it stays in the buffer that it was read into. The record is the caller's, to be
    /// disposed of.
    /// </summary>
    public bool TryBorrow(in CacheKey key, in IndexedEntry where, out BorrowedRecord record)
    {
        record = default;
        if (where.Length > MaxCachedBytes || segments.At(where.Slot) is not { } segment)
        {
            return false;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(where.Length);
        var bytes = buffer.AsSpan(0, where.Length);
        if (segment.File.TryReadCached(bytes, where.Offset)
            && Verify(bytes, segment.Seed.At(where.Offset), where.Sequence, out var header)
            && header.Space == key.Space
            && RecordFormat.KeyOf(bytes, header).SequenceEqual(key.Text)
            && header.Codec == RecordCodec.None
            && !header.IsProtected
            && !codec.IsToBeProtected(header.Space)
            && RecordFormat.TagsOf(bytes, header) is { } tags)
        {
            record = new BorrowedRecord(buffer, header, tags, Math.Min(where.Deadline, header.AbsoluteExpiry));
            return true;
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return false;
    }

    /// <summary>
    /// Reads a live value for reinsertion, on the writer lane, as it is stored; null where it has moved on, does not verify, or is not
    /// protected and should be. Throws what the file system throws.
    /// </summary>
    public StoredEntry? ReadStored(SegmentFile segment, in IndexedEntry where)
    {
        int length = LengthIn(segment, where);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                var record = buffer.AsSpan(0, segment.File.Read(buffer.AsSpan(0, length), where.Offset));
                if (Verify(record, segment.Seed.At(where.Offset), where.Sequence, out var header))
                {
                    return header.IsProtected == codec.IsToBeProtected(header.Space) ? CopyOf(record, header, where.Deadline) : null;
                }

                if (!StillThere(where))
                {
                    return null;
                }

                if (attempt == Attempts)
                {
                    GiveUp(segment, where, record, ReasonAgainst(record, segment.Seed.At(where.Offset), where));
                    return null;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a live value whose key is not known. Throws what the file system throws.</summary>
    public ReadOutcome ReadValue(SegmentFile segment, in IndexedEntry where, out CacheEntry? entry)
    {
        entry = null;
        return ReadStored(segment, where) is { } live ? Read(live.Entry.Key, where, null, out entry) : ReadOutcome.Corrupt;
    }

    /// <summary>What becomes of a record that verifies.</summary>
    private ReadOutcome Judge(
        DecodeOutcome outcome, CacheEntry? entry, in IndexedEntry where, SegmentFile segment, ReadOnlySpan<byte> record)
    {
        switch (outcome)
        {
            case DecodeOutcome.KeysUnavailable:
                return ReadOutcome.KeysUnavailable;
            case DecodeOutcome.Undecryptable when StillThere(where):
                index.RemoveIfSame(where.KeyHash, where.Sequence, where.Slot);
                if (Interlocked.Increment(ref _undecryptableCount) <= MaxUndecryptableKept)
                {
                    var place = new DamagedPlace(
                        QuarantineReason.Undecryptable, segment.Number, where.Offset, where.KeyHash, where.Length);
                    quarantine.Keep(place, record);
                }

                return ReadOutcome.Undecryptable;
            case DecodeOutcome.TooLarge:
                index.RemoveIfSame(where.KeyHash, where.Sequence, where.Slot);
                return ReadOutcome.Miss;
            default:
                return entry is null ? ReadOutcome.Miss : ReadOutcome.Hit;
        }
    }

    private void GiveUp(SegmentFile segment, in IndexedEntry where, ReadOnlySpan<byte> record, QuarantineReason reason)
    {
        index.RemoveIfSame(where.KeyHash, where.Sequence, where.Slot);
        segment.CountCorrupt();
        quarantine.Keep(new DamagedPlace(reason, segment.Number, where.Offset, where.KeyHash, where.Length), record);
    }

    /// <summary>Of a record that its file has not room for only what may be there is read, whatever length a footer that is carried elsewhere says.</summary>
    private static int LengthIn(SegmentFile segment, in IndexedEntry where) =>
        (int)Math.Clamp(segment.LengthBytes - where.Offset, 0, where.Length);

    private bool StillThere(in IndexedEntry where) =>
        index.TryGet(where.KeyHash, out var now) && now.Sequence == where.Sequence && now.Slot == where.Slot && now.Offset == where.Offset;

    private static int ReadBytes(SegmentFile segment, Span<byte> to, long offset)
    {
        try
        {
            return segment.File.Read(to, offset);
        }
        catch (ObjectDisposedException)
        {
            // The segment was erased meanwhile; the index says so too.
            return 0;
        }
    }

    private static bool Verify(ReadOnlySpan<byte> record, in SegmentSeed seed, long sequence, out RecordHeader header) =>
        RecordFormat.TryReadHeader(record, seed, out header)
        && header.Kind == RecordKind.Value
        && header.Sequence == sequence
        && RecordFormat.VerifyPayload(record, header, seed);

    /// <summary>Why bytes do not verify. Asked afterwards, so that what verifies does not pay for it.</summary>
    private static QuarantineReason ReasonAgainst(ReadOnlySpan<byte> record, in SegmentSeed seed, in IndexedEntry where) =>
        record.Length < where.Length ? QuarantineReason.Truncated
        : !RecordFormat.TryReadHeader(record, seed, out var header) ? QuarantineReason.HeaderDamaged
        : header.Sequence == where.Sequence && !RecordFormat.VerifyPayload(record, header, seed) ? QuarantineReason.PayloadDamaged
        : QuarantineReason.WrongRecord;

    /// <summary>The entry of a verified record; null, and an outcome of <see cref="DecodeOutcome.Decoded"/>, where it is another key's.</summary>
    private DecodeOutcome Decode(byte[] record, in RecordHeader header, in CacheKey key, long deadline, out CacheEntry? entry)
    {
        entry = null;
        if (header.Space != key.Space
            || !RecordFormat.KeyOf(record, header).SequenceEqual(key.Text)
            || RecordFormat.TagsOf(record, header) is not { } tags)
        {
            return DecodeOutcome.Decoded;
        }

        var outcome = codec.Decode(record, header, out var value);
        entry = outcome == DecodeOutcome.Decoded ? EntryOf(key, value, tags, header, deadline) : null;
        return outcome;
    }

    private static StoredEntry? CopyOf(ReadOnlySpan<byte> record, in RecordHeader header, long deadline)
    {
        if (RecordFormat.TagsOf(record, header) is not { } tags)
        {
            return null;
        }

        var key = new CacheKey(header.Space, RecordFormat.KeyOf(record, header).ToString());
        var bytes = EntryValue.CopyOf(RecordFormat.ValueOf(record, header));
        return new StoredEntry(
            EntryOf(key, bytes, tags, header, deadline),
            new StoredValue(bytes, header.Codec, header.RawBytes, header.IsProtected, store: null));
    }

    private static CacheEntry EntryOf(in CacheKey key, EntryValue value, string[] tags, in RecordHeader header, long deadline)
    {
        var entry = new CacheEntry(
            key, value, tags, new Expiry(header.AbsoluteExpiry, header.SlidingTicks), Math.Min(deadline, header.AbsoluteExpiry))
        {
            IsRetained = header.IsRetained,
        };
        entry.Number(header.Sequence, header.Ticket);
        return entry;
    }
}

/// <summary>A record that verifies, in a buffer of the pool, which has it back once this is disposed of.</summary>
internal readonly struct BorrowedRecord(byte[] buffer, in RecordHeader header, string[] tags, long deadline) : IDisposable
{
    private readonly int _valueAt = RecordFormat.HeaderBytes + header.KeyBytes + header.TagsBytes;
    private readonly int _valueBytes = header.StoredBytes;

    public string[] Tags { get; } = tags;

    public long Ticket { get; } = header.Ticket;

    public bool Slides { get; } = header.SlidingTicks > 0;

    public ReadOnlySpan<byte> Value => buffer.AsSpan(_valueAt, _valueBytes);

    public bool HasExpired(long nowTicks) => deadline <= nowTicks;

    public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
}
