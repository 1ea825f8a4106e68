using System.Globalization;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>The names of segment files: their numbers, in hexadecimal.</summary>
internal static class SegmentName
{
    public static long NumberIn(string path) =>
        long.Parse(Path.GetFileNameWithoutExtension(path), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>The file that the segment after this one will have.</summary>
    public static string Following(string path) => Path.Combine(
        Path.GetDirectoryName(path)!, (NumberIn(path) + 1).ToString("x16", CultureInfo.InvariantCulture) + Path.GetExtension(path));
}
