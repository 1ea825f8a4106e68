using System.IO.Abstractions;
using System.Runtime.Versioning;

namespace DiskDistributedCache.Testing;

/// <summary>A file info whose calls are those of <see cref="FaultyFile"/>.</summary>
internal sealed class FaultyFileInfo(Disk disk, IFileInfo real) : FaultyFileSystemEntry<IFileInfo>(disk, real), IFileInfo
{
    public IDirectoryInfo? Directory => Real.Directory is { } directory ? Disk.Wrap(directory) : null;

    public string? DirectoryName => Real.DirectoryName;

    public bool IsReadOnly
    {
        get => Asking(FileOperation.Attributes).IsReadOnly;
        set => Asking(FileOperation.Attributes).IsReadOnly = value;
    }

    public long Length => Asking(FileOperation.GetLength).Length;

    private IFile File => Disk.Outer.File;

    public override void Delete()
    {
        Disk.Delete(FullName);
        Real.Refresh();
    }

    public void MoveTo(string destFileName) => MoveTo(destFileName, overwrite: false);

    public void MoveTo(string destFileName, bool overwrite)
    {
        File.Move(FullName, destFileName, overwrite);
        Real = Disk.Inner.FileInfo.New(destFileName);
    }

    public IFileInfo CopyTo(string destFileName) => CopyTo(destFileName, overwrite: false);

    public IFileInfo CopyTo(string destFileName, bool overwrite)
    {
        File.Copy(FullName, destFileName, overwrite);
        return Disk.Outer.FileInfo.New(destFileName);
    }

    public IFileInfo Replace(string destinationFileName, string? destinationBackupFileName) =>
        Replace(destinationFileName, destinationBackupFileName, ignoreMetadataErrors: false);

    public IFileInfo Replace(string destinationFileName, string? destinationBackupFileName, bool ignoreMetadataErrors)
    {
        File.Replace(FullName, destinationFileName, destinationBackupFileName, ignoreMetadataErrors);
        return Disk.Outer.FileInfo.New(destinationFileName);
    }

    public FileSystemStream Open(FileMode mode) => File.Open(FullName, mode);

    public FileSystemStream Open(FileMode mode, FileAccess access) => File.Open(FullName, mode, access);

    public FileSystemStream Open(FileMode mode, FileAccess access, FileShare share) => File.Open(FullName, mode, access, share);

    public FileSystemStream Open(FileStreamOptions options) => File.Open(FullName, options);

    public FileSystemStream OpenRead() => File.OpenRead(FullName);

    public FileSystemStream OpenWrite() => File.OpenWrite(FullName);

    public FileSystemStream Create() => File.Create(FullName);

    public StreamReader OpenText() => File.OpenText(FullName);

    public StreamWriter CreateText() => File.CreateText(FullName);

    public StreamWriter AppendText() => File.AppendText(FullName);

    [SupportedOSPlatform("windows")]
    public void Encrypt() => File.Encrypt(FullName);

    [SupportedOSPlatform("windows")]
    public void Decrypt() => File.Decrypt(FullName);
}
