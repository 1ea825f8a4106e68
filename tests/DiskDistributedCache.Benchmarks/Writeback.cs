using System.Runtime.InteropServices;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Waits until the system has written what is dirty, so that nobody pays for a neighbour's writes: a file system makes writers
/// wait when there are many dirty pages, whoever made them, and commits all renames in one journal. Not on Windows.
/// </summary>
internal static partial class Writeback
{
    public static void Finish()
    {
        if (!OperatingSystem.IsWindows())
        {
            Sync();
        }
    }

    [LibraryImport("libc", EntryPoint = "sync")]
    private static partial void Sync();
}
