using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace DiskDistributedCache.Tiers;

/// <summary>
/// Asks the processor for memory that is about to be needed, so that several fetches go on at once and not one after the other. It is
/// a hint that cannot fail: what it names may be moved by the collector, or replaced by another thread, meanwhile.
/// </summary>
internal static class Prefetch
{
    private const int LineBytes = 64;

    // Beyond, the processor has noticed by itself where the reads go.
    private const int MaxBytes = 4096;

    /// <summary>The line in which the place begins.</summary>
    public static unsafe void Line<T>(ref readonly T place)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in place)));
        }
    }

    /// <summary>The array's length and so many of its bytes. The array itself is not touched, so the number may be that of another one.</summary>
    public static unsafe void Bytes(byte[] array, int count)
    {
        if (Sse.IsSupported)
        {
            byte* start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
            byte* end = start + Math.Min(count, MaxBytes);
            for (byte* line = start - sizeof(long); line < end; line += LineBytes)
            {
                Sse.Prefetch0(line);
            }
        }
    }
}
