using System.IO.Abstractions;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>
/// The two slots of a superblock, and what an opening makes of them. What the input does not reach is zero; the second half of it is the
/// second slot.
/// </summary>
internal static class SuperblockFuzz
{
    private const long AllowedBytes = 1 << 20;

    private static readonly Lazy<CacheDirectory> s_directory = new(MakeDirectory);

    public static void Run(byte[] input)
    {
        if (input.Length is < 1 or > 1 + (Superblock.SlotBytes * Superblock.SlotCount))
        {
            return;
        }

        int half = (input.Length - 1) / 2;
        byte[] slots = new byte[Superblock.SlotBytes * Superblock.SlotCount];
        input.AsSpan(1, half).CopyTo(slots);
        input.AsSpan(1 + half).CopyTo(slots.AsSpan(Superblock.SlotBytes));
        var decoded = new List<Superblock>();
        for (int number = 0; number < Superblock.SlotCount; number++)
        {
            var slot = slots.AsSpan(number * Superblock.SlotBytes, Superblock.SlotBytes);
            if ((input[0] & FuzzTargets.Repaired) != 0)
            {
                FuzzChecksums.RepairSuperblock(slot, number);
            }

            if (Superblock.TryRead(slot, number) is { } superblock)
            {
                decoded.Add(superblock);
                CheckEncodesAgain(superblock, number);
            }
        }

        FuzzTargets.RequireFrugal(AllowedBytes, () => Open(slots, decoded));
    }

    private static void CheckEncodesAgain(Superblock superblock, int number)
    {
        byte[] again = new byte[Superblock.SlotBytes];
        superblock.WriteTo(again, number);
        FuzzTargets.Require(Superblock.TryRead(again, number) == superblock, "what was decoded and is encoded again is something else");
    }

    private static void Open(byte[] slots, List<Superblock> decoded)
    {
        var directory = s_directory.Value;
        File.WriteAllBytes(directory.Superblock, slots);
        using var trust = new TrustMark(directory, Guid.NewGuid());
        using var file = SuperblockFile.Open(
            directory, trust, new CacheClock(new TestClock()), isProtected: false, new OpeningReads(isLastTry: false, new StoreScene.Listener()));
        FuzzTargets.Require(
            file.Found is null || (decoded.Count == Superblock.SlotCount && decoded.Any(slot => slot.StoreId == file.Found.StoreId)),
            "a store is believed that its superblock does not name");
    }

    private static CacheDirectory MakeDirectory()
    {
        var scratch = new ScratchDirectory();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => scratch.Dispose();
        var directory = new CacheDirectory(new FileSystem(), scratch.Path, WitnessFolder.Path);
        directory.Prepare();
        directory.Lock();
        return directory;
    }
}
