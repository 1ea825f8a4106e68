using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>The slots of the superblock of a cache directory, as they are on disk, and changed as another process would change them.</summary>
internal static class SuperblockSlots
{
    public static IReadOnlyList<Superblock> Read(string root)
    {
        byte[] bytes = File.ReadAllBytes(PathOf(root));
        return [.. Enumerable.Range(0, Superblock.SlotCount).Select(slot => Decode(bytes, slot))];
    }

    /// <summary>Changes both slots; their checksums are right.</summary>
    public static void Change(string root, Func<Superblock, Superblock> change)
    {
        for (int slot = 0; slot < Superblock.SlotCount; slot++)
        {
            Change(root, slot, change);
        }
    }

    /// <summary>Changes one slot; its checksum is right.</summary>
    public static void Change(string root, int slot, Func<Superblock, Superblock> change)
    {
        byte[] changed = new byte[Superblock.SlotBytes];
        change(Decode(File.ReadAllBytes(PathOf(root)), slot)).WriteTo(changed, slot);
        using var file = new FileStream(PathOf(root), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = (long)slot * Superblock.SlotBytes;
        file.Write(changed);
    }

    private static Superblock Decode(byte[] bytes, int slot) =>
        Superblock.TryRead(bytes.AsSpan(slot * Superblock.SlotBytes, Superblock.SlotBytes), slot)
        ?? throw new InvalidDataException($"Slot {slot} does not verify.");

    private static string PathOf(string root) => Path.Combine(root, "diskcache-v1", "superblock");
}
