using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// The real file system, counting the bytes of file content that are read through handles and streams. It is deliberately not
/// a <see cref="FileSystem"/>, so that no native shortcut for the real one goes past the count.
/// </summary>
internal sealed class CountingFileSystem : FileSystemBase
{
    private readonly FileSystem _real = new();
    private long _bytesRead;

    public CountingFileSystem()
    {
        File = new CountingFile(this);
        FileStream = new CountingStreams(this);
        RandomAccess = new CountingRandomAccess(this);
    }

    public long BytesRead => Volatile.Read(ref _bytesRead);

    public override IFile File { get; }

    public override IFileStreamFactory FileStream { get; }

    public override IRandomAccess RandomAccess { get; }

    public override IDirectory Directory => _real.Directory;

    public override IFileInfoFactory FileInfo => _real.FileInfo;

    public override IFileVersionInfoFactory FileVersionInfo => _real.FileVersionInfo;

    public override IPath Path => _real.Path;

    public override IDirectoryInfoFactory DirectoryInfo => _real.DirectoryInfo;

    public override IDriveInfoFactory DriveInfo => _real.DriveInfo;

    public override IFileSystemWatcherFactory FileSystemWatcher => _real.FileSystemWatcher;

    private int Count(int bytes)
    {
        Interlocked.Add(ref _bytesRead, bytes);
        return bytes;
    }

    private long Count(long bytes)
    {
        Interlocked.Add(ref _bytesRead, bytes);
        return bytes;
    }

    private CountingStream Count(FileSystemStream stream) => new(this, stream);

    private sealed class CountingRandomAccess(CountingFileSystem counting) : IRandomAccess
    {
        private readonly IRandomAccess _real = counting._real.RandomAccess;

        public IFileSystem FileSystem => counting;

        public void FlushToDisk(SafeFileHandle handle) => _real.FlushToDisk(handle);

        public long GetLength(SafeFileHandle handle) => _real.GetLength(handle);

        public void SetLength(SafeFileHandle handle, long length) => _real.SetLength(handle, length);

        public int Read(SafeFileHandle handle, Span<byte> buffer, long fileOffset) =>
            counting.Count(_real.Read(handle, buffer, fileOffset));

        public long Read(SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset) =>
            counting.Count(_real.Read(handle, buffers, fileOffset));

        public async ValueTask<int> ReadAsync(
            SafeFileHandle handle, Memory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
            counting.Count(await _real.ReadAsync(handle, buffer, fileOffset, cancellationToken));

        public async ValueTask<long> ReadAsync(
            SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset, CancellationToken cancellationToken = default) =>
            counting.Count(await _real.ReadAsync(handle, buffers, fileOffset, cancellationToken));

        public void Write(SafeFileHandle handle, ReadOnlySpan<byte> buffer, long fileOffset) => _real.Write(handle, buffer, fileOffset);

        public void Write(SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset) =>
            _real.Write(handle, buffers, fileOffset);

        public ValueTask WriteAsync(
            SafeFileHandle handle, ReadOnlyMemory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
            _real.WriteAsync(handle, buffer, fileOffset, cancellationToken);

        public ValueTask WriteAsync(
            SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset, CancellationToken cancellationToken = default) =>
            _real.WriteAsync(handle, buffers, fileOffset, cancellationToken);
    }

    private sealed class CountingFile(CountingFileSystem counting) : FileWrapper(counting._real)
    {
        public override byte[] ReadAllBytes(string path)
        {
            byte[] content = base.ReadAllBytes(path);
            counting.Count(content.Length);
            return content;
        }

        public override FileSystemStream Open(string path, FileMode mode) => counting.Count(base.Open(path, mode));

        public override FileSystemStream Open(string path, FileMode mode, FileAccess access) =>
            counting.Count(base.Open(path, mode, access));

        public override FileSystemStream Open(string path, FileMode mode, FileAccess access, FileShare share) =>
            counting.Count(base.Open(path, mode, access, share));

        public override FileSystemStream Open(string path, FileStreamOptions options) => counting.Count(base.Open(path, options));

        public override FileSystemStream OpenRead(string path) => counting.Count(base.OpenRead(path));
    }

    private sealed class CountingStreams(CountingFileSystem counting) : IFileStreamFactory
    {
        private readonly IFileStreamFactory _real = counting._real.FileStream;

        public IFileSystem FileSystem => counting;

        public FileSystemStream New(SafeFileHandle handle, FileAccess access) => counting.Count(_real.New(handle, access));

        public FileSystemStream New(SafeFileHandle handle, FileAccess access, int bufferSize) =>
            counting.Count(_real.New(handle, access, bufferSize));

        public FileSystemStream New(SafeFileHandle handle, FileAccess access, int bufferSize, bool isAsync) =>
            counting.Count(_real.New(handle, access, bufferSize, isAsync));

        public FileSystemStream New(string path, FileMode mode) => counting.Count(_real.New(path, mode));

        public FileSystemStream New(string path, FileMode mode, FileAccess access) => counting.Count(_real.New(path, mode, access));

        public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share) =>
            counting.Count(_real.New(path, mode, access, share));

        public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize) =>
            counting.Count(_real.New(path, mode, access, share, bufferSize));

        public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize, bool useAsync) =>
            counting.Count(_real.New(path, mode, access, share, bufferSize, useAsync));

        public FileSystemStream New(string path, FileMode mode, FileAccess access, FileShare share, int bufferSize, FileOptions options) =>
            counting.Count(_real.New(path, mode, access, share, bufferSize, options));

        public FileSystemStream New(string path, FileStreamOptions options) => counting.Count(_real.New(path, options));

        public FileSystemStream Wrap(FileStream fileStream) => counting.Count(_real.Wrap(fileStream));
    }

    private sealed class CountingStream(CountingFileSystem counting, FileSystemStream real)
        : FileSystemStream(real, real.Name, real.IsAsync)
    {
        public override int Read(byte[] buffer, int offset, int count) => counting.Count(base.Read(buffer, offset, count));

        public override int Read(Span<byte> buffer) => counting.Count(base.Read(buffer));

        public override async Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            counting.Count(await base.ReadAsync(buffer.AsMemory(offset, count), cancellationToken));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            counting.Count(await base.ReadAsync(buffer, cancellationToken));

        public override int EndRead(IAsyncResult asyncResult) => counting.Count(base.EndRead(asyncResult));

        public override void CopyTo(Stream destination, int bufferSize)
        {
            long before = Position;
            base.CopyTo(destination, bufferSize);
            counting.Count(Position - before);
        }

        public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            long before = Position;
            await base.CopyToAsync(destination, bufferSize, cancellationToken);
            counting.Count(Position - before);
        }

        public override int ReadByte()
        {
            int value = base.ReadByte();
            counting.Count(value < 0 ? 0 : 1);
            return value;
        }

        public override void Flush(bool flushToDisk) => real.Flush(flushToDisk);
    }
}
