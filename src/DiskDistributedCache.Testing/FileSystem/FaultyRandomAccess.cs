using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Testing;

/// <summary>
/// Reads and writes through handles. A call with several buffers is one call with all their bytes; the asynchronous calls run on the
/// thread pool, as those of .NET do on Linux.
/// </summary>
internal sealed class FaultyRandomAccess(Disk disk) : IRandomAccess
{

    public IFileSystem FileSystem => disk.Outer;

    private IRandomAccess Real => disk.Inner.RandomAccess;

    public long GetLength(SafeFileHandle handle)
    {
        disk.Plan.Begin(FileOperation.GetLength, disk.Table.Of(handle).Path);
        return Real.GetLength(handle);
    }

    public void SetLength(SafeFileHandle handle, long length) =>
        disk.SetLength(disk.Table.Of(handle), length, to => Real.SetLength(handle, to));

    public void FlushToDisk(SafeFileHandle handle) => disk.Flush(disk.Table.Of(handle), () => Real.FlushToDisk(handle));

    public int Read(SafeFileHandle handle, Span<byte> buffer, long fileOffset) =>
        disk.Read(disk.Table.Of(handle), buffer, fileOffset, (to, offset) => Real.Read(handle, to, offset));

    public long Read(SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset)
    {
        byte[] bytes = new byte[buffers.Sum(buffer => buffer.Length)];
        int read = Read(handle, bytes, fileOffset);
        var left = bytes.AsSpan(0, read);
        foreach (var buffer in buffers)
        {
            var part = left[..Math.Min(left.Length, buffer.Length)];
            part.CopyTo(buffer.Span);
            left = left[part.Length..];
        }

        return read;
    }

    public ValueTask<int> ReadAsync(
        SafeFileHandle handle, Memory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Read(handle, buffer.Span, fileOffset), cancellationToken));

    public ValueTask<long> ReadAsync(
        SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Read(handle, buffers, fileOffset), cancellationToken));

    public void Write(SafeFileHandle handle, ReadOnlySpan<byte> buffer, long fileOffset) =>
        disk.Write(disk.Table.Of(handle), buffer, fileOffset, (bytes, offset) => Real.Write(handle, bytes, offset));

    public void Write(SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset)
    {
        using var bytes = new MemoryStream();
        foreach (var buffer in buffers)
        {
            bytes.Write(buffer.Span);
        }

        Write(handle, bytes.ToArray(), fileOffset);
    }

    public ValueTask WriteAsync(
        SafeFileHandle handle, ReadOnlyMemory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Write(handle, buffer.Span, fileOffset), cancellationToken));

    public ValueTask WriteAsync(
        SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Write(handle, buffers, fileOffset), cancellationToken));
}
