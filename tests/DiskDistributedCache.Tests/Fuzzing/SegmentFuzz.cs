using System.Buffers.Binary;
using System.IO.Abstractions;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>
/// The recovery of a log of one or two segments, from a folder that is reused. An input is the byte that says how (the second bit: there are
/// two; the third: the superblock has a mark in the last one; the fourth: the mark is final), where in units of 8 bytes the second one
/// begins, where the mark is, and the bytes of the segments.
/// </summary>
internal static class SegmentFuzz
{
    public const byte HasTwo = 2;
    public const byte HasMark = 4;
    public const byte IsMarkFinal = 8;
    public const int HeadBytes = 1 + 2 + 2;

    private const int MaxInputBytes = 64 << 10;

    // The tables of an empty index, of segments and of barriers, twice; what the calls of the file system take.
    private const long AllowedBytes = 2 << 20;

    private static readonly Lazy<CacheDirectory> s_directory = new(MakeDirectory);
    private static readonly CacheClock s_clock = new(new TestClock());

    public static void Run(byte[] input)
    {
        if (input.Length is < HeadBytes or > MaxInputBytes)
        {
            return;
        }

        byte how = input[0];
        int begin = 8 * BinaryPrimitives.ReadUInt16LittleEndian(input.AsSpan(1));
        long mark = 8L * BinaryPrimitives.ReadUInt16LittleEndian(input.AsSpan(3));
        byte[] bytes = input[HeadBytes..];
        int split = (how & HasTwo) != 0 ? Math.Min(begin, bytes.Length) : bytes.Length;
        Write(1, bytes[..split], how);
        if ((how & HasTwo) != 0)
        {
            Write(2, bytes[split..], how);
        }

        var superblock = NewSuperblock() with
        {
            Mark = (how & HasMark) != 0 ? new LogMark((how & HasTwo) != 0 ? 2 : 1, mark, 1) : default,
            IsMarkFinal = (how & IsMarkFinal) != 0,
        };
        try
        {
            RecoverTwice(superblock, AllowedBytes + (64 * input.Length));
        }
        finally
        {
            Erase();
        }
    }

    public static Superblock NewSuperblock() => new() { StoreId = FuzzTargets.StoreId, HashSeed = 1, SessionId = default, BootId = default };

    /// <summary>What the first one finds the second finds as well, though the files are not what they were.</summary>
    private static void RecoverTwice(Superblock superblock, long mostBytes)
    {
        HashSet<(long Segment, IndexedEntry Entry)>? first = null;
        bool isAnew = false;
        FuzzTargets.RequireFrugal(mostBytes, () => first = Recover(superblock, out isAnew));
        if (!isAnew)
        {
            var second = Recover(superblock, out _);
            FuzzTargets.Require(
                second.SetEquals(first!), $"the next recovery finds [{string.Join(", ", second)}] instead of [{string.Join(", ", first!)}]");
        }
    }

    private static HashSet<(long Segment, IndexedEntry Entry)> Recover(Superblock superblock, out bool isAnew)
    {
        using var segments = new SegmentTable();
        var index = new EntryIndex(SegmentTable.SlotCount);
        var quarantine = new Quarantine(s_directory.Value, s_clock, maxBytes: 0);
        var barriers = new TagBarriers();
        var reads = new OpeningReads(isLastTry: false, new NoTiers());
        var recovery = new Recovery(s_directory.Value, FuzzTargets.StoreId, segments, index, barriers, quarantine, reads, new NoTiers());
        recovery.Run(superblock);
        isAnew = recovery.MustBeginAnew;
        if (isAnew)
        {
            return [];
        }

        var found = index.Where(_ => true).ToHashSet();
        var reader = new RecordReader(segments, index, quarantine, RecordFuzz.Plain, (key, seed) => KeyHash.Of(key, seed));
        foreach (var entry in found)
        {
            var segment = segments.At(entry.Slot);
            FuzzTargets.Require(segment is not null, "an entry in no segment");

            // A footer that another segment carries still says what was in one that has been cut.
            bool isWithin = entry.Offset + entry.Length <= segment!.File.Length || segment.CarriedFooter is not null;
            FuzzTargets.Require(entry.Offset >= SegmentFormat.HeaderBytes && isWithin, "an entry outside of its file");
            reader.ReadHead(entry, superblock.HashSeed);
            reader.ReadValue(segment, entry, out _);
        }

        // The slots are those of this recovery; the numbers of the segments stay.
        return [.. found.Select(entry => (segments.At(entry.Slot)!.Number, entry with { Slot = 0 }))];
    }

    private static void Write(long number, byte[] bytes, byte how)
    {
        if ((how & FuzzTargets.Repaired) != 0)
        {
            FuzzChecksums.RepairSegment(bytes, FuzzTargets.StoreId, number);
        }

        File.WriteAllBytes(s_directory.Value.SegmentOf(FuzzTargets.StoreId, number), bytes);
    }

    private static void Erase()
    {
        foreach (string path in Directory.EnumerateFiles(s_directory.Value.StoreOf(FuzzTargets.StoreId)))
        {
            File.Delete(path);
        }
    }

    private static CacheDirectory MakeDirectory()
    {
        var scratch = new ScratchDirectory();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => scratch.Dispose();
        var directory = new CacheDirectory(new FileSystem(), scratch.Path, scratch.Path);
        directory.Prepare();
        directory.CreateStore(FuzzTargets.StoreId);
        return directory;
    }

    /// <summary>The file that is not there is the only trouble that a recovery may have here.</summary>
    private sealed class NoTiers : StoreListener
    {
        public override void Faulted(Exception exception) => FuzzTargets.Require(exception is not ArgumentException, exception.ToString());

        public override void MarkUsed()
        {
        }

        public override void SweepMemory()
        {
        }

        public override void ContentGivenUp()
        {
        }

        public override void RetainedLeft()
        {
        }
    }
}
