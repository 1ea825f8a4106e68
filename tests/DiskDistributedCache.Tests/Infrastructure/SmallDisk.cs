namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// A disk with few bytes under a cache, shared with others who may take them. It says what is free, and a preallocation or a write that
/// needs more fails as it does on a full disk.
/// </summary>
internal sealed class SmallDisk
{
    /// <summary>What stands beside the segments: the superblock.</summary>
    private const long OtherFilesBytes = 8 << 10;

    private readonly FaultyFileSystem _files;
    private readonly Func<string> _folder;

    public SmallDisk(FaultyFileSystem files, Func<string> folder, long sizeBytes)
    {
        (_files, _folder, SizeBytes) = (files, folder, sizeBytes);
        files.FreeBytes = sizeBytes - UsedBytes + OtherFilesBytes;
    }

    public long SizeBytes { get; }

    /// <summary>What others have on it.</summary>
    public long OthersBytes { get; private set; }

    public long UsedBytes => Directory.Exists(Segments)
        ? new DirectoryInfo(Segments).GetFiles("*", SearchOption.AllDirectories).Sum(file => file.Length)
        : 0;

    public long FreeBytes => _files.FreeBytes!.Value;

    /// <summary>Others take or give back until they have this much, or nothing is free any more.</summary>
    public void LetOthersHave(long bytes)
    {
        long taken = Math.Min(bytes - OthersBytes, FreeBytes);
        _files.FreeBytes -= taken;
        OthersBytes += taken;
    }

    private string Segments => Path.Combine(_folder(), "segments");
}
