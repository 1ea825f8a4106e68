using System.IO.Abstractions;
using System.Runtime.Versioning;

namespace DiskDistributedCache.Testing;

/// <summary>Folders by their names. What only looks at the text of a path, or at the process, is no disk call and is not seen.</summary>
internal sealed class FaultyDirectory(Disk disk) : IDirectory
{
    public IFileSystem FileSystem => disk.Outer;

    private IDirectory Real => disk.Inner.Directory;

    public IDirectoryInfo CreateDirectory(string path)
    {
        disk.CreateFolder(path, full => Real.CreateDirectory(full));
        return disk.Outer.DirectoryInfo.New(path);
    }

    [UnsupportedOSPlatform("windows")]
    public IDirectoryInfo CreateDirectory(string path, UnixFileMode unixCreateMode)
    {
        disk.CreateFolder(path, full => Real.CreateDirectory(full, unixCreateMode));
        return disk.Outer.DirectoryInfo.New(path);
    }

    public IDirectoryInfo CreateTempSubdirectory(string? prefix = null)
    {
        disk.Ask(FileOperation.CreateDirectory, disk.Inner.Path.Combine(disk.Inner.Path.GetTempPath(), prefix ?? ""));
        return disk.Wrap(Real.CreateTempSubdirectory(prefix));
    }

    public bool Exists(string? path) => disk.Exists(path, Real.Exists);

    public void Delete(string path) => disk.DeleteFolder(path, recursive: false);

    public void Delete(string path, bool recursive) => disk.DeleteFolder(path, recursive);

    public void Move(string sourceDirName, string destDirName) => disk.MoveFolder(sourceDirName, destDirName, Real.Move);

    public IFileSystemInfo CreateSymbolicLink(string path, string pathToTarget)
    {
        disk.Ask(FileOperation.Link, path);
        return disk.Wrap(Real.CreateSymbolicLink(path, pathToTarget));
    }

    public IFileSystemInfo? ResolveLinkTarget(string linkPath, bool returnFinalTarget)
    {
        disk.Ask(FileOperation.Link, linkPath);
        return Real.ResolveLinkTarget(linkPath, returnFinalTarget) is { } target ? disk.Wrap(target) : null;
    }

    public string[] GetDirectories(string path) => Listing(path).GetDirectories(path);

    public string[] GetDirectories(string path, string searchPattern) => Listing(path).GetDirectories(path, searchPattern);

    public string[] GetDirectories(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).GetDirectories(path, searchPattern, searchOption);

    public string[] GetDirectories(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).GetDirectories(path, searchPattern, enumerationOptions);

    public string[] GetFiles(string path) => Listing(path).GetFiles(path);

    public string[] GetFiles(string path, string searchPattern) => Listing(path).GetFiles(path, searchPattern);

    public string[] GetFiles(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).GetFiles(path, searchPattern, searchOption);

    public string[] GetFiles(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).GetFiles(path, searchPattern, enumerationOptions);

    public string[] GetFileSystemEntries(string path) => Listing(path).GetFileSystemEntries(path);

    public string[] GetFileSystemEntries(string path, string searchPattern) =>
        Listing(path).GetFileSystemEntries(path, searchPattern);

    public string[] GetFileSystemEntries(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).GetFileSystemEntries(path, searchPattern, searchOption);

    public string[] GetFileSystemEntries(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).GetFileSystemEntries(path, searchPattern, enumerationOptions);

    public IEnumerable<string> EnumerateDirectories(string path) => Listing(path).EnumerateDirectories(path);

    public IEnumerable<string> EnumerateDirectories(string path, string searchPattern) =>
        Listing(path).EnumerateDirectories(path, searchPattern);

    public IEnumerable<string> EnumerateDirectories(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).EnumerateDirectories(path, searchPattern, searchOption);

    public IEnumerable<string> EnumerateDirectories(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).EnumerateDirectories(path, searchPattern, enumerationOptions);

    public IEnumerable<string> EnumerateFiles(string path) => Listing(path).EnumerateFiles(path);

    public IEnumerable<string> EnumerateFiles(string path, string searchPattern) =>
        Listing(path).EnumerateFiles(path, searchPattern);

    public IEnumerable<string> EnumerateFiles(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).EnumerateFiles(path, searchPattern, searchOption);

    public IEnumerable<string> EnumerateFiles(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).EnumerateFiles(path, searchPattern, enumerationOptions);

    public IEnumerable<string> EnumerateFileSystemEntries(string path) => Listing(path).EnumerateFileSystemEntries(path);

    public IEnumerable<string> EnumerateFileSystemEntries(string path, string searchPattern) =>
        Listing(path).EnumerateFileSystemEntries(path, searchPattern);

    public IEnumerable<string> EnumerateFileSystemEntries(string path, string searchPattern, SearchOption searchOption) =>
        Listing(path).EnumerateFileSystemEntries(path, searchPattern, searchOption);

    public IEnumerable<string> EnumerateFileSystemEntries(string path, string searchPattern, EnumerationOptions enumerationOptions) =>
        Listing(path).EnumerateFileSystemEntries(path, searchPattern, enumerationOptions);

    public DateTime GetCreationTime(string path) => Asking(path).GetCreationTime(path);

    public void SetCreationTime(string path, DateTime creationTime) => Asking(path).SetCreationTime(path, creationTime);

    public DateTime GetCreationTimeUtc(string path) => Asking(path).GetCreationTimeUtc(path);

    public void SetCreationTimeUtc(string path, DateTime creationTimeUtc) => Asking(path).SetCreationTimeUtc(path, creationTimeUtc);

    public DateTime GetLastAccessTime(string path) => Asking(path).GetLastAccessTime(path);

    public void SetLastAccessTime(string path, DateTime lastAccessTime) => Asking(path).SetLastAccessTime(path, lastAccessTime);

    public DateTime GetLastAccessTimeUtc(string path) => Asking(path).GetLastAccessTimeUtc(path);

    public void SetLastAccessTimeUtc(string path, DateTime lastAccessTimeUtc) => Asking(path).SetLastAccessTimeUtc(path, lastAccessTimeUtc);

    public DateTime GetLastWriteTime(string path) => Asking(path).GetLastWriteTime(path);

    public void SetLastWriteTime(string path, DateTime lastWriteTime) => Asking(path).SetLastWriteTime(path, lastWriteTime);

    public DateTime GetLastWriteTimeUtc(string path) => Asking(path).GetLastWriteTimeUtc(path);

    public void SetLastWriteTimeUtc(string path, DateTime lastWriteTimeUtc) => Asking(path).SetLastWriteTimeUtc(path, lastWriteTimeUtc);

    public string GetCurrentDirectory() => Real.GetCurrentDirectory();

    public void SetCurrentDirectory(string path) => Real.SetCurrentDirectory(path);

    public string GetDirectoryRoot(string path) => Real.GetDirectoryRoot(path);

    public string[] GetLogicalDrives() => Real.GetLogicalDrives();

    public IDirectoryInfo? GetParent(string path) => Real.GetParent(path) is { } parent ? disk.Wrap(parent) : null;

    private IDirectory Listing(string path) => Asking(path, FileOperation.List);

    private IDirectory Asking(string path, FileOperation operation = FileOperation.Attributes)
    {
        disk.Ask(operation, path);
        return Real;
    }
}
