using System.Security.Cryptography;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging.Abstractions;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>
/// One record: header, checksums, key, tags, value. The second bit of the first byte says that values are protected here.
/// </summary>
internal static class RecordFuzz
{
    public const byte Protects = 2;

    private const int MaxEntryBytes = 64 << 10;

    // What is taken for a record of some size, however small the input is: the value it may have, and a little.
    private const int AllowedBytes = (2 * MaxEntryBytes) + (16 << 10);

    public static SegmentSeed Seed { get; } = new(FuzzTargets.StoreId, 1);

    public static ValueCodec Plain { get; } = CodecOf(null);

    public static ValueCodec Protecting { get; } = CodecOf(new ShiftingProtector());

    public static void Run(byte[] input)
    {
        if (input.Length < 2)
        {
            return;
        }

        byte[] record = input[1..];
        if ((input[0] & FuzzTargets.Repaired) != 0)
        {
            FuzzChecksums.RepairRecord(record, Seed);
        }

        var codec = (input[0] & Protects) != 0 ? Protecting : Plain;
        FuzzTargets.RequireFrugal(AllowedBytes + (16 * input.Length), () => Decode(record, codec));
    }

    private static void Decode(byte[] record, ValueCodec codec)
    {
        if (!RecordFormat.TryReadHeader(record, Seed, out var header) || !RecordFormat.VerifyPayload(record, header, Seed))
        {
            return;
        }

        FuzzTargets.Require(header.Sequence is >= 0 and <= RecordFormat.MaxSequence, "a number that no index has room for");
        string key = RecordFormat.KeyOf(record, header).ToString();
        if (RecordFormat.TagsOf(record, header) is not { } tags || codec.Decode(record, header, out var value) != DecodeOutcome.Decoded)
        {
            return;
        }

        FuzzTargets.Require(value.Length == header.RawBytes, "a value of another length than its header says");
        var entry = new CacheEntry(
            new CacheKey(header.Space, key), value, tags, new Expiry(header.AbsoluteExpiry, header.SlidingTicks), header.Deadline)
        {
            IsRetained = header.IsRetained,
        };
        entry.Number(header.Sequence, header.Ticket);
        CheckEncodesAgain(entry, header);
    }

    /// <summary>As it is now, which is not protected or compressed.</summary>
    private static void CheckEncodesAgain(CacheEntry entry, in RecordHeader header)
    {
        byte[] again = new byte[RecordFormat.LengthOf(entry)];
        RecordFormat.WriteValue(again, entry, header.KeyHash, header.Deadline, Seed);
        FuzzTargets.Require(
            RecordFormat.TryReadHeader(again, Seed, out var read)
            && RecordFormat.VerifyPayload(again, read, Seed)
            && read.RecordBytes == again.Length
            && (read.Space, read.IsRetained, read.RawBytes) == (header.Space, header.IsRetained, header.RawBytes)
            && (read.Sequence, read.Ticket, read.KeyHash) == (header.Sequence, header.Ticket, header.KeyHash)
            && (read.AbsoluteExpiry, read.SlidingTicks, read.Deadline) == (header.AbsoluteExpiry, header.SlidingTicks, header.Deadline)
            && RecordFormat.KeyOf(again, read).SequenceEqual(entry.Key.Text)
            && RecordFormat.ValueOf(again, read).SequenceEqual(entry.Value.ToArray())
            && RecordFormat.TagsOf(again, read).AsSpan().SequenceEqual(entry.Tags),
            "what was decoded and is encoded again is something else");
    }

    private static ValueCodec CodecOf(DiskCacheProtector? protector)
    {
        var options = new DiskDistributedCacheOptions { MaxEntryBytes = MaxEntryBytes, CompressionThresholdBytes = 0 };
        options.Compression = DiskCacheCompression.Brotli;
        options.UseProtector(protector);
        var codec = new ValueCodec(options, new CacheClock(new TestClock()), NullLogger.Instance);
        codec.Use(FuzzTargets.StoreId);
        return codec;
    }

    /// <summary>The same at every run, which encryption is not.</summary>
    private sealed class ShiftingProtector : DiskCacheProtector
    {
        private const byte Mark = 0x5A;

        public override byte[] Protect(byte[] value) => [Mark, .. value.Select(one => (byte)(one + 1))];

        public override byte[] Unprotect(byte[] protectedValue) => protectedValue is [Mark, .. var value]
            ? [.. value.Select(one => (byte)(one - 1))]
            : throw new CryptographicException("It was not protected here.");
    }
}
