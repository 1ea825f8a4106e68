using System.Runtime.InteropServices;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Makes the host of a virtual machine give memory that it has taken back (free page reporting). The first write to such a page takes some 9 us, and
/// whoever happens to write first would pay for it: a turn of sets that met such pages took two to three times as long as one that did not.
/// </summary>
internal static class FreeMemory
{
    private const int PageBytes = 4096;

    /// <summary>Writes to so much memory and gives it back to the system, which hands it out again first.</summary>
    public static unsafe void Touch(long bytes)
    {
        byte* memory = (byte*)NativeMemory.Alloc((nuint)bytes);
        for (long at = 0; at < bytes; at += PageBytes)
        {
            memory[at] = 1;
        }

        NativeMemory.Free(memory);
    }
}
