using System.IO.Abstractions;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Testing;

/// <summary>
/// Files by their names. The calls that read or write a whole file are in the other part; they open a stream here, so that a fault
/// strikes the open, the write and the close that they consist of.
/// </summary>
internal sealed partial class FaultyFile(Disk disk) : IFile
{
    public IFileSystem FileSystem => disk.Outer;

    private IFile Real => disk.Inner.File;

    public SafeFileHandle OpenHandle(
        string path, FileMode mode, FileAccess access, FileShare share, FileOptions options, long preallocationSize) =>
        disk.OpenHandle(path, mode, access, share, options, preallocationSize);

    public FileSystemStream Open(string path, FileMode mode) =>
        Open(path, mode, mode == FileMode.Append ? FileAccess.Write : FileAccess.ReadWrite);

    public FileSystemStream Open(string path, FileMode mode, FileAccess access) => Open(path, mode, access, FileShare.None);

    public FileSystemStream Open(string path, FileMode mode, FileAccess access, FileShare share) =>
        Open(path, new FileStreamOptions { Mode = mode, Access = access, Share = share });

    public FileSystemStream Open(string path, FileStreamOptions options) => disk.OpenStream(path, options);

    public FileSystemStream OpenRead(string path) => Open(path, FileMode.Open, FileAccess.Read, FileShare.Read);

    public FileSystemStream OpenWrite(string path) => Open(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);

    public FileSystemStream Create(string path) => Open(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None);

    public FileSystemStream Create(string path, int bufferSize) => Create(path);

    public FileSystemStream Create(string path, int bufferSize, FileOptions options) =>
        Open(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.ReadWrite, Share = FileShare.None, Options = options });

    public StreamReader OpenText(string path) => new(OpenRead(path));

    public StreamWriter CreateText(string path) => new(Open(path, FileMode.Create, FileAccess.Write, FileShare.Read));

    public StreamWriter AppendText(string path) => new(Open(path, FileMode.Append, FileAccess.Write, FileShare.Read));

    public bool Exists(string? path) => disk.Exists(path, full => disk.OverrideOf(full) is not null || Real.Exists(full));

    public void Delete(string path) => disk.Delete(path);

    public void Move(string sourceFileName, string destFileName) => Move(sourceFileName, destFileName, overwrite: false);

    public void Move(string sourceFileName, string destFileName, bool overwrite) =>
        disk.Move(sourceFileName, destFileName, (from, to) => Real.Move(from, to, overwrite));

    public void Replace(string sourceFileName, string destinationFileName, string? destinationBackupFileName) =>
        Replace(sourceFileName, destinationFileName, destinationBackupFileName, ignoreMetadataErrors: false);

    public void Replace(string sourceFileName, string destinationFileName, string? destinationBackupFileName, bool ignoreMetadataErrors) =>
        disk.Move(
            sourceFileName,
            destinationFileName,
            (from, to) => Real.Replace(from, to, destinationBackupFileName, ignoreMetadataErrors),
            destinationBackupFileName);

    public void Copy(string sourceFileName, string destFileName) => Copy(sourceFileName, destFileName, overwrite: false);

    public void Copy(string sourceFileName, string destFileName, bool overwrite)
    {
        using var from = OpenRead(sourceFileName);
        using var to = Open(destFileName, overwrite ? FileMode.Create : FileMode.CreateNew, FileAccess.Write, FileShare.None);
        from.CopyTo(to);
        if (!OperatingSystem.IsWindows())
        {
            Real.SetUnixFileMode(disk.FullPath(destFileName), Real.GetUnixFileMode(disk.FullPath(sourceFileName)));
        }
    }

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

    public FileAttributes GetAttributes(string path) => Get(path, Real.GetAttributes);

    public void SetAttributes(string path, FileAttributes fileAttributes) => Set(path, fileAttributes, Real.SetAttributes);

    public FileAttributes GetAttributes(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetAttributes);

    public void SetAttributes(SafeFileHandle fileHandle, FileAttributes fileAttributes) => Set(fileHandle, fileAttributes, Real.SetAttributes);

    public DateTime GetCreationTime(string path) => Get(path, Real.GetCreationTime);

    public void SetCreationTime(string path, DateTime creationTime) => Set(path, creationTime, Real.SetCreationTime);

    public DateTime GetCreationTime(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetCreationTime);

    public void SetCreationTime(SafeFileHandle fileHandle, DateTime creationTime) => Set(fileHandle, creationTime, Real.SetCreationTime);

    public DateTime GetCreationTimeUtc(string path) => Get(path, Real.GetCreationTimeUtc);

    public void SetCreationTimeUtc(string path, DateTime creationTimeUtc) => Set(path, creationTimeUtc, Real.SetCreationTimeUtc);

    public DateTime GetCreationTimeUtc(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetCreationTimeUtc);

    public void SetCreationTimeUtc(SafeFileHandle fileHandle, DateTime creationTimeUtc) => Set(fileHandle, creationTimeUtc, Real.SetCreationTimeUtc);

    public DateTime GetLastAccessTime(string path) => Get(path, Real.GetLastAccessTime);

    public void SetLastAccessTime(string path, DateTime lastAccessTime) => Set(path, lastAccessTime, Real.SetLastAccessTime);

    public DateTime GetLastAccessTime(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetLastAccessTime);

    public void SetLastAccessTime(SafeFileHandle fileHandle, DateTime lastAccessTime) => Set(fileHandle, lastAccessTime, Real.SetLastAccessTime);

    public DateTime GetLastAccessTimeUtc(string path) => Get(path, Real.GetLastAccessTimeUtc);

    public void SetLastAccessTimeUtc(string path, DateTime lastAccessTimeUtc) => Set(path, lastAccessTimeUtc, Real.SetLastAccessTimeUtc);

    public DateTime GetLastAccessTimeUtc(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetLastAccessTimeUtc);

    public void SetLastAccessTimeUtc(SafeFileHandle fileHandle, DateTime lastAccessTimeUtc) => Set(fileHandle, lastAccessTimeUtc, Real.SetLastAccessTimeUtc);

    public DateTime GetLastWriteTime(string path) => Get(path, Real.GetLastWriteTime);

    public void SetLastWriteTime(string path, DateTime lastWriteTime) => Set(path, lastWriteTime, Real.SetLastWriteTime);

    public DateTime GetLastWriteTime(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetLastWriteTime);

    public void SetLastWriteTime(SafeFileHandle fileHandle, DateTime lastWriteTime) => Set(fileHandle, lastWriteTime, Real.SetLastWriteTime);

    public DateTime GetLastWriteTimeUtc(string path) => Get(path, Real.GetLastWriteTimeUtc);

    public void SetLastWriteTimeUtc(string path, DateTime lastWriteTimeUtc) => Set(path, lastWriteTimeUtc, Real.SetLastWriteTimeUtc);

    public DateTime GetLastWriteTimeUtc(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetLastWriteTimeUtc);

    public void SetLastWriteTimeUtc(SafeFileHandle fileHandle, DateTime lastWriteTimeUtc) => Set(fileHandle, lastWriteTimeUtc, Real.SetLastWriteTimeUtc);

    [UnsupportedOSPlatform("windows")]
    public UnixFileMode GetUnixFileMode(string path) => Get(path, Real.GetUnixFileMode);

    [UnsupportedOSPlatform("windows")]
    public void SetUnixFileMode(string path, UnixFileMode mode) => Set(path, mode, Real.SetUnixFileMode);

    [UnsupportedOSPlatform("windows")]
    public UnixFileMode GetUnixFileMode(SafeFileHandle fileHandle) => Get(fileHandle, Real.GetUnixFileMode);

    [UnsupportedOSPlatform("windows")]
    public void SetUnixFileMode(SafeFileHandle fileHandle, UnixFileMode mode) => Set(fileHandle, mode, Real.SetUnixFileMode);

    [SupportedOSPlatform("windows")]
    public void Encrypt(string path)
    {
        disk.Ask(FileOperation.Attributes, path);
        Real.Encrypt(path);
    }

    [SupportedOSPlatform("windows")]
    public void Decrypt(string path)
    {
        disk.Ask(FileOperation.Attributes, path);
        Real.Decrypt(path);
    }

    private T Get<T>(string path, Func<string, T> get)
    {
        disk.Ask(FileOperation.Attributes, path);
        return get(path);
    }

    private T Get<T>(SafeFileHandle handle, Func<SafeFileHandle, T> get)
    {
        disk.Plan.Begin(FileOperation.Attributes, disk.Table.Of(handle).Path);
        return get(handle);
    }

    private void Set<T>(string path, T value, Action<string, T> set)
    {
        disk.Ask(FileOperation.Attributes, path);
        set(path, value);
    }

    private void Set<T>(SafeFileHandle handle, T value, Action<SafeFileHandle, T> set)
    {
        disk.Plan.Begin(FileOperation.Attributes, disk.Table.Of(handle).Path);
        set(handle, value);
    }
}
