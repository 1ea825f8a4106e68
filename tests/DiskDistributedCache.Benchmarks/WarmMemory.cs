using System.Globalization;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// Fills the memory that is free with clean pages of empty files, as on a machine that has been up for a while: what is written later takes
/// over such pages. A virtual machine may have given the memory that was never used, or has been freed, back to its host, and then the first touch of
/// a page costs 9 us instead of less than 1: for whoever writes to new pages, and not for who writes to the same ones again. Linux only.
/// </summary>
internal sealed class WarmMemory(string directory) : IDisposable
{
    private const string MemoryInfo = "/proc/meminfo";
    private const long MaxBytes = 32L << 30;
    private const long KeptFreeBytes = 256L << 20;
    private const long WorthwhileBytes = 256L << 20;

    private readonly List<string> _files = [];

    /// <summary>Fills what is free at this moment. Returns how many bytes that were.</summary>
    public long Fill()
    {
        long bytes = Math.Min(FreeBytes() - KeptFreeBytes, MaxBytes);
        if (bytes < WorthwhileBytes)
        {
            return 0;
        }

        // The files have a length and no blocks. They stay until the end: with a file go its pages.
        string path = Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"warm-{_files.Count}"));
        _files.Add(path);
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite);
        RandomAccess.SetLength(file, bytes);
        byte[] buffer = new byte[1 << 20];
        for (long at = 0; at < bytes; at += buffer.Length)
        {
            RandomAccess.Read(file, buffer, at);
        }

        return bytes;
    }

    public void Dispose() => _files.ForEach(File.Delete);

    private static long FreeBytes()
    {
        if (!File.Exists(MemoryInfo))
        {
            return 0;
        }

        string line = File.ReadLines(MemoryInfo).First(line => line.StartsWith("MemFree:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
