using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Entries;

/// <summary>
/// The 64-bit name under which the disk tier's index knows a key: XxHash3-64 of the key's UTF-16 bytes, seeded per store
/// and per key space. UTF-16 and not UTF-8, because UTF-8 maps different strings with lone surrogates to the same bytes.
/// The seed is random per store, so nobody outside can choose keys that collide; where two keys do collide they displace
/// each other, and a read compares the full key.
/// </summary>
internal static class KeyHash
{
    public static ulong Of(in CacheKey key, long seed) =>
        XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key.Text.AsSpan()), seed ^ ((long)key.Space << 56));
}
