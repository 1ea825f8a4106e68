using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

/// <summary>A folder info whose calls are those of <see cref="FaultyDirectory"/>; the infos that it lists are struck as well.</summary>
internal sealed class FaultyDirectoryInfo(Disk disk, IDirectoryInfo real) : FaultyFileSystemEntry<IDirectoryInfo>(disk, real), IDirectoryInfo
{
    public IDirectoryInfo? Parent => Real.Parent is { } parent ? Disk.Wrap(parent) : null;

    public IDirectoryInfo Root => Disk.Wrap(Real.Root);

    private IDirectoryInfo Listing => Asking(FileOperation.List);

    public void Create()
    {
        Disk.CreateFolder(FullName, _ => Real.Create());
        Real.Refresh();
    }

    public IDirectoryInfo CreateSubdirectory(string path)
    {
        Disk.CreateFolder(Disk.Inner.Path.Combine(FullName, path), _ => Real.CreateSubdirectory(path));
        return Disk.Outer.DirectoryInfo.New(Disk.Inner.Path.Combine(FullName, path));
    }

    public override void Delete() => Delete(recursive: false);

    public void Delete(bool recursive)
    {
        Disk.DeleteFolder(FullName, recursive);
        Real.Refresh();
    }

    public void MoveTo(string destDirName)
    {
        Disk.Outer.Directory.Move(FullName, destDirName);
        Real = Disk.Inner.DirectoryInfo.New(destDirName);
    }

    public IDirectoryInfo[] GetDirectories() => [.. Listing.GetDirectories().Select(Disk.Wrap)];

    public IDirectoryInfo[] GetDirectories(string searchPattern) => [.. Listing.GetDirectories(searchPattern).Select(Disk.Wrap)];

    public IDirectoryInfo[] GetDirectories(string searchPattern, SearchOption searchOption) =>
        [.. Listing.GetDirectories(searchPattern, searchOption).Select(Disk.Wrap)];

    public IDirectoryInfo[] GetDirectories(string searchPattern, EnumerationOptions enumerationOptions) =>
        [.. Listing.GetDirectories(searchPattern, enumerationOptions).Select(Disk.Wrap)];

    public IFileInfo[] GetFiles() => [.. Listing.GetFiles().Select(Disk.Wrap)];

    public IFileInfo[] GetFiles(string searchPattern) => [.. Listing.GetFiles(searchPattern).Select(Disk.Wrap)];

    public IFileInfo[] GetFiles(string searchPattern, SearchOption searchOption) =>
        [.. Listing.GetFiles(searchPattern, searchOption).Select(Disk.Wrap)];

    public IFileInfo[] GetFiles(string searchPattern, EnumerationOptions enumerationOptions) =>
        [.. Listing.GetFiles(searchPattern, enumerationOptions).Select(Disk.Wrap)];

    public IFileSystemInfo[] GetFileSystemInfos() => [.. Listing.GetFileSystemInfos().Select(Disk.Wrap)];

    public IFileSystemInfo[] GetFileSystemInfos(string searchPattern) =>
        [.. Listing.GetFileSystemInfos(searchPattern).Select(Disk.Wrap)];

    public IFileSystemInfo[] GetFileSystemInfos(string searchPattern, SearchOption searchOption) =>
        [.. Listing.GetFileSystemInfos(searchPattern, searchOption).Select(Disk.Wrap)];

    public IFileSystemInfo[] GetFileSystemInfos(string searchPattern, EnumerationOptions enumerationOptions) =>
        [.. Listing.GetFileSystemInfos(searchPattern, enumerationOptions).Select(Disk.Wrap)];

    public IEnumerable<IDirectoryInfo> EnumerateDirectories() => Listing.EnumerateDirectories().Select(Disk.Wrap);

    public IEnumerable<IDirectoryInfo> EnumerateDirectories(string searchPattern) =>
        Listing.EnumerateDirectories(searchPattern).Select(Disk.Wrap);

    public IEnumerable<IDirectoryInfo> EnumerateDirectories(string searchPattern, SearchOption searchOption) =>
        Listing.EnumerateDirectories(searchPattern, searchOption).Select(Disk.Wrap);

    public IEnumerable<IDirectoryInfo> EnumerateDirectories(string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing.EnumerateDirectories(searchPattern, enumerationOptions).Select(Disk.Wrap);

    public IEnumerable<IFileInfo> EnumerateFiles() => Listing.EnumerateFiles().Select(Disk.Wrap);

    public IEnumerable<IFileInfo> EnumerateFiles(string searchPattern) => Listing.EnumerateFiles(searchPattern).Select(Disk.Wrap);

    public IEnumerable<IFileInfo> EnumerateFiles(string searchPattern, SearchOption searchOption) =>
        Listing.EnumerateFiles(searchPattern, searchOption).Select(Disk.Wrap);

    public IEnumerable<IFileInfo> EnumerateFiles(string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing.EnumerateFiles(searchPattern, enumerationOptions).Select(Disk.Wrap);

    public IEnumerable<IFileSystemInfo> EnumerateFileSystemInfos() => Listing.EnumerateFileSystemInfos().Select(Disk.Wrap);

    public IEnumerable<IFileSystemInfo> EnumerateFileSystemInfos(string searchPattern) =>
        Listing.EnumerateFileSystemInfos(searchPattern).Select(Disk.Wrap);

    public IEnumerable<IFileSystemInfo> EnumerateFileSystemInfos(string searchPattern, SearchOption searchOption) =>
        Listing.EnumerateFileSystemInfos(searchPattern, searchOption).Select(Disk.Wrap);

    public IEnumerable<IFileSystemInfo> EnumerateFileSystemInfos(string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing.EnumerateFileSystemInfos(searchPattern, enumerationOptions).Select(Disk.Wrap);
}
