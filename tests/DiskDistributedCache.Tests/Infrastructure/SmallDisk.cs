namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A disk with few bytes under the segments of a cache, shared with others who may take them. It says what is free, and a
/// preallocation or a write that needs more fails as it does on a full disk. Names and what stands beside the segments cost nothing.
/// </summary>
internal sealed class SmallDisk
{
    private readonly Func<string> _folder;

    public SmallDisk(FaultyFileSystem files, Func<string> folder, long sizeBytes)
    {
        _folder = folder;
        SizeBytes = sizeBytes;
        files.FreeBytes = () => FreeBytes;
        files.Watch(FileOperation.Open, call => Need(call.Bytes - LengthOf(call.Path), call, FaultyFileSystem.NoSpaceToPreallocate));
        files.Watch(FileOperation.Write, call => Need(call.Offset + call.Bytes - LengthOf(call.Path), call, FaultyFileSystem.NoSpace));
    }

    public long SizeBytes { get; }

    /// <summary>What others have on it.</summary>
    public long OthersBytes { get; private set; }

    public long UsedBytes => Directory.Exists(Segments)
        ? new DirectoryInfo(Segments).GetFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)
        : 0;

    public long FreeBytes => SizeBytes - OthersBytes - UsedBytes;

    /// <summary>Others take or give back until they have this much, or nothing is free any more.</summary>
    public void LetOthersHave(long bytes) => OthersBytes = Math.Min(bytes, SizeBytes - UsedBytes);

    private string Segments => Path.Combine(_folder(), "segments");

    private static long LengthOf(string path) => File.Exists(path) ? new FileInfo(path).Length : 0;

    private void Need(long bytes, FileCall call, Func<IOException> exception)
    {
        if (bytes > 0 && bytes > FreeBytes && call.Path.StartsWith(Segments, StringComparison.Ordinal))
        {
            throw exception();
        }
    }
}
