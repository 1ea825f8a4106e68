using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// The real file system, telling a test before every call that changes something on disk, so that it can look at what a process
/// would leave behind that is killed right there; and tearing a write when it is asked to. Only the calls that a store makes are
/// watched. It is no <see cref="FileSystem"/>, so folders are not synced, which takes most of the time of a small store.
/// </summary>
internal sealed class WatchedFileSystem : FileSystemBase
{
    private readonly FileSystem _real = new();

    public WatchedFileSystem()
    {
        File = new WatchedFile(this);
        RandomAccess = new WatchedRandomAccess(this);
    }

    /// <summary>Called before each change, with what is about to happen.</summary>
    public Action<string>? BeforeChange { get; set; }

    /// <summary>The next write of a record leaves half of its bytes behind and fails.</summary>
    public bool TearsNextWrite { get; set; }

    public override IFile File { get; }

    public override IRandomAccess RandomAccess { get; }

    public override IFileStreamFactory FileStream => _real.FileStream;

    public override IDirectory Directory => _real.Directory;

    public override IFileInfoFactory FileInfo => _real.FileInfo;

    public override IFileVersionInfoFactory FileVersionInfo => _real.FileVersionInfo;

    public override IPath Path => _real.Path;

    public override IDirectoryInfoFactory DirectoryInfo => _real.DirectoryInfo;

    public override IDriveInfoFactory DriveInfo => _real.DriveInfo;

    public override IFileSystemWatcherFactory FileSystemWatcher => _real.FileSystemWatcher;

    private sealed class WatchedFile(WatchedFileSystem watched) : FileWrapper(watched._real)
    {
        public override SafeFileHandle OpenHandle(
            string path, FileMode mode, FileAccess access, FileShare share, FileOptions options, long preallocationSize)
        {
            if (mode != FileMode.Open)
            {
                watched.BeforeChange?.Invoke($"open {path} with {mode}");
            }

            return base.OpenHandle(path, mode, access, share, options, preallocationSize);
        }

        public override void Move(string sourceFileName, string destFileName, bool overwrite)
        {
            watched.BeforeChange?.Invoke($"rename {sourceFileName} to {destFileName}");
            base.Move(sourceFileName, destFileName, overwrite);
        }

        public override void Delete(string path)
        {
            watched.BeforeChange?.Invoke($"delete {path}");
            base.Delete(path);
        }
    }

    private sealed class WatchedRandomAccess(WatchedFileSystem watched) : IRandomAccess
    {
        private readonly IRandomAccess _real = watched._real.RandomAccess;

        public IFileSystem FileSystem => watched;

        public void FlushToDisk(SafeFileHandle handle) => _real.FlushToDisk(handle);

        public long GetLength(SafeFileHandle handle) => _real.GetLength(handle);

        public int Read(SafeFileHandle handle, Span<byte> buffer, long fileOffset) => _real.Read(handle, buffer, fileOffset);

        public long Read(SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset) =>
            _real.Read(handle, buffers, fileOffset);

        public ValueTask<int> ReadAsync(
            SafeFileHandle handle, Memory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
            _real.ReadAsync(handle, buffer, fileOffset, cancellationToken);

        public ValueTask<long> ReadAsync(
            SafeFileHandle handle,
            IReadOnlyList<Memory<byte>> buffers,
            long fileOffset,
            CancellationToken cancellationToken = default) =>
            _real.ReadAsync(handle, buffers, fileOffset, cancellationToken);

        public void SetLength(SafeFileHandle handle, long length)
        {
            watched.BeforeChange?.Invoke($"set length {length}");
            _real.SetLength(handle, length);
        }

        public void Write(SafeFileHandle handle, ReadOnlySpan<byte> buffer, long fileOffset)
        {
            watched.BeforeChange?.Invoke($"write {buffer.Length} at {fileOffset}");
            if (watched.TearsNextWrite)
            {
                watched.TearsNextWrite = false;
                _real.Write(handle, buffer[..(buffer.Length / 2)], fileOffset);
                throw new IOException("The write was torn.");
            }

            _real.Write(handle, buffer, fileOffset);
        }

        public void Write(SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset) =>
            _real.Write(handle, buffers, fileOffset);

        public ValueTask WriteAsync(
            SafeFileHandle handle, ReadOnlyMemory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
            _real.WriteAsync(handle, buffer, fileOffset, cancellationToken);

        public ValueTask WriteAsync(
            SafeFileHandle handle,
            IReadOnlyList<ReadOnlyMemory<byte>> buffers,
            long fileOffset,
            CancellationToken cancellationToken = default) =>
            _real.WriteAsync(handle, buffers, fileOffset, cancellationToken);
    }
}
