using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

#pragma warning disable RS0030 // The interfaces name the classes of .NET, to wrap what somebody else has.

internal sealed class FaultyFileInfoFactory(Disk disk) : IFileInfoFactory
{
    public IFileSystem FileSystem => disk.Outer;

    public IFileInfo New(string fileName) => disk.Wrap(disk.Inner.FileInfo.New(fileName));

    public IFileInfo? Wrap(FileInfo? fileInfo) => fileInfo is null ? null : disk.Wrap(disk.Inner.FileInfo.Wrap(fileInfo)!);
}

internal sealed class FaultyDirectoryInfoFactory(Disk disk) : IDirectoryInfoFactory
{
    public IFileSystem FileSystem => disk.Outer;

    public IDirectoryInfo New(string path) => disk.Wrap(disk.Inner.DirectoryInfo.New(path));

    public IDirectoryInfo? Wrap(DirectoryInfo? directoryInfo) =>
        directoryInfo is null ? null : disk.Wrap(disk.Inner.DirectoryInfo.Wrap(directoryInfo)!);
}

internal sealed class FaultyDriveFactory(Disk disk) : IDriveInfoFactory
{
    public IFileSystem FileSystem => disk.Outer;

    public IDriveInfo New(string driveName) => new FaultyDrive(disk, disk.Inner.DriveInfo.New(driveName), driveName);

    public IDriveInfo[] GetDrives() => [.. disk.Inner.DriveInfo.GetDrives().Select(drive => new FaultyDrive(disk, drive, drive.Name))];

    public IDriveInfo? Wrap(DriveInfo? driveInfo) =>
        driveInfo is null ? null : new FaultyDrive(disk, disk.Inner.DriveInfo.Wrap(driveInfo)!, driveInfo.Name);
}
