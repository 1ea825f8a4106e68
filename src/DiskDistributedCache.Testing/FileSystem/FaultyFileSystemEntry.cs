using System.IO.Abstractions;
using System.Runtime.Versioning;

namespace DiskDistributedCache.Testing;

/// <summary>What files and folders have in common. An info may answer from memory; a fault strikes the question all the same.</summary>
internal abstract class FaultyFileSystemEntry<T>(Disk disk, T real) : IFileSystemInfo
    where T : IFileSystemInfo
{
    public IFileSystem FileSystem => Disk.Outer;

    public string Name => Real.Name;

    public string FullName => Real.FullName;

    public string Extension => Real.Extension;

    public bool Exists => Disk.Exists(Real.FullName, _ => Real.Exists);

    public string? LinkTarget => Asking(FileOperation.Link).LinkTarget;

    public FileAttributes Attributes
    {
        get => Asking(FileOperation.Attributes).Attributes;
        set => Asking(FileOperation.Attributes).Attributes = value;
    }

    public DateTime CreationTime
    {
        get => Asking(FileOperation.Attributes).CreationTime;
        set => Asking(FileOperation.Attributes).CreationTime = value;
    }

    public DateTime CreationTimeUtc
    {
        get => Asking(FileOperation.Attributes).CreationTimeUtc;
        set => Asking(FileOperation.Attributes).CreationTimeUtc = value;
    }

    public DateTime LastAccessTime
    {
        get => Asking(FileOperation.Attributes).LastAccessTime;
        set => Asking(FileOperation.Attributes).LastAccessTime = value;
    }

    public DateTime LastAccessTimeUtc
    {
        get => Asking(FileOperation.Attributes).LastAccessTimeUtc;
        set => Asking(FileOperation.Attributes).LastAccessTimeUtc = value;
    }

    public DateTime LastWriteTime
    {
        get => Asking(FileOperation.Attributes).LastWriteTime;
        set => Asking(FileOperation.Attributes).LastWriteTime = value;
    }

    public DateTime LastWriteTimeUtc
    {
        get => Asking(FileOperation.Attributes).LastWriteTimeUtc;
        set => Asking(FileOperation.Attributes).LastWriteTimeUtc = value;
    }

    [UnsupportedOSPlatform("windows")]
    public UnixFileMode UnixFileMode
    {
        get => Asking(FileOperation.Attributes).UnixFileMode;
        set => Asking(FileOperation.Attributes).UnixFileMode = value;
    }

    /// <summary>Another one after a move.</summary>
    protected T Real { get; set; } = real;

    protected Disk Disk { get; } = disk;

    public abstract void Delete();

    public void Refresh() => Asking(FileOperation.Attributes).Refresh();

    public void CreateAsSymbolicLink(string pathToTarget) => Asking(FileOperation.Link).CreateAsSymbolicLink(pathToTarget);

    public IFileSystemInfo? ResolveLinkTarget(bool returnFinalTarget) =>
        Asking(FileOperation.Link).ResolveLinkTarget(returnFinalTarget) is { } target ? Disk.Wrap(target) : null;

    public override string ToString() => Real.ToString() ?? "";

    protected T Asking(FileOperation operation)
    {
        Disk.Ask(operation, Real.FullName);
        return Real;
    }
}
