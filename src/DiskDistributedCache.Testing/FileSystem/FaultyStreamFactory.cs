using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Testing;

/// <summary>Opens streams through <see cref="Disk"/>.</summary>
internal sealed class FaultyStreamFactory(Disk disk) : IFileStreamFactory
{
    private const int BufferBytes = 4096; // The default of .NET; streams are unbuffered here.

    public IFileSystem FileSystem => disk.Outer;

    public FileSystemStream New(SafeFileHandle handle, FileAccess access) => New(handle, access, BufferBytes);

    public FileSystemStream New(SafeFileHandle handle, FileAccess access, int bufferSize) => New(handle, access, bufferSize, isAsync: false);

    public FileSystemStream New(SafeFileHandle handle, FileAccess access, int bufferSize, bool isAsync) =>
        new FaultyStream(disk, disk.Inner.FileStream.New(handle, access, 0, isAsync), disk.Table.Of(handle));

    public FileSystemStream New(string path, FileMode mode) =>
        New(path, mode, mode == FileMode.Append ? FileAccess.Write : FileAccess.ReadWrite);

    public FileSystemStream New(string path, FileMode mode, FileAccess access) => New(path, mode, access, FileShare.Read);

    public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share) => New(path, mode, access, share, BufferBytes);

    public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize) =>
        New(path, mode, access, share, bufferSize, FileOptions.None);

    public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize, bool useAsync) =>
        New(path, mode, access, share, bufferSize, useAsync ? FileOptions.Asynchronous : FileOptions.None);

    public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize, FileOptions options) =>
        New(path, new FileStreamOptions { Mode = mode, Access = access, Share = share, BufferSize = bufferSize, Options = options });

    public FileSystemStream New(string path, FileStreamOptions options) => disk.OpenStream(path, options);

    public FileSystemStream Wrap(FileStream fileStream)
    {
        string path = disk.FullPath(fileStream.Name);
        var stream = new FaultyStream(disk, disk.Inner.FileStream.Wrap(fileStream), new OpenFile(path, disk.Table.At(path)));
        disk.Table.Opened(stream, stream.File);
        return stream;
    }
}
