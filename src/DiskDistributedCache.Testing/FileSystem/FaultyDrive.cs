using System.Diagnostics.CodeAnalysis;
using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

/// <summary>A drive that has the simulated free space, when that is set.</summary>
/// <param name="disk">The disk.</param>
/// <param name="real">The drive of the inner file system.</param>
/// <param name="path">The path that it was asked for.</param>
internal sealed class FaultyDrive(Disk disk, IDriveInfo real, string path) : IDriveInfo
{
    public IFileSystem FileSystem => disk.Outer;

    public long AvailableFreeSpace => disk.Space.FreeBytes is { } free ? Asking(free) : Asking(real).AvailableFreeSpace;

    public long TotalFreeSpace => disk.Space.FreeBytes is { } free ? Asking(free) : Asking(real).TotalFreeSpace;

    public long TotalSize => Asking(real).TotalSize;

    public string DriveFormat => Asking(real).DriveFormat;

    public DriveType DriveType => real.DriveType;

    public bool IsReady => disk.Exists(path, _ => real.IsReady);

    public string Name => real.Name;

    public IDirectoryInfo RootDirectory => disk.Wrap(real.RootDirectory);

    [AllowNull]
    public string VolumeLabel
    {
        get => Asking(real).VolumeLabel;
        set
        {
            if (!OperatingSystem.IsWindows())
            {
                throw new PlatformNotSupportedException();
            }

            Asking(real).VolumeLabel = value;
        }
    }

    public override string ToString() => real.ToString() ?? "";

    private T Asking<T>(T answer)
    {
        disk.Plan.Begin(FileOperation.FreeSpace, path);
        return answer;
    }
}
