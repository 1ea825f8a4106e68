using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

/// <summary>
/// A stream of which every read and write goes through <see cref="Disk"/>. The asynchronous calls run the synchronous ones on the
/// thread pool, as the ones of .NET do on Linux: a call that hangs holds a thread of the pool and no caller.
/// </summary>
internal sealed class FaultyStream : FileSystemStream
{
    private readonly Disk _disk;
    private readonly FileSystemStream _real;
    private bool _isClosed;

    public FaultyStream(Disk disk, FileSystemStream real, OpenFile file)
        : base(real, real.Name, real.IsAsync)
    {
        _disk = disk;
        _real = real;
        File = file;
    }

    public OpenFile File { get; }

    public override long Length
    {
        get
        {
            _disk.Plan.Begin(FileOperation.GetLength, File.Path);
            return _real.Length;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        long offset = Offset;
        int read = _disk.Read(File, buffer, offset, (to, _) => _real.Read(to));
        GoTo(offset + read);
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int ReadByte()
    {
        byte value = 0;
        return Read(new Span<byte>(ref value)) == 0 ? -1 : value;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Read(buffer.Span), cancellationToken));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(ReadAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override int EndRead(IAsyncResult asyncResult) => TaskToAsyncResult.End<int>(asyncResult);

    public override void CopyTo(Stream destination, int bufferSize)
    {
        byte[] buffer = new byte[bufferSize];
        for (int read = Read(buffer); read > 0; read = Read(buffer))
        {
            destination.Write(buffer, 0, read);
        }
    }

    public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[bufferSize];
        for (int read = await ReadAsync(buffer, cancellationToken).ConfigureAwait(false); read > 0;
            read = await ReadAsync(buffer, cancellationToken).ConfigureAwait(false))
        {
            await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        long offset = Offset;
        _disk.Write(File, buffer, offset, (bytes, _) => _real.Write(bytes));
        GoTo(offset + buffer.Length);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write([value]);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Task.Run(() => Write(buffer.Span), cancellationToken));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    public override void SetLength(long value) => _disk.SetLength(File, value, _real.SetLength);

    /// <summary>There is no buffer to flush; a mock may have one.</summary>
    public override void Flush() => _real.Flush();

    public override void Flush(bool flushToDisk)
    {
        if (flushToDisk)
        {
            _disk.Flush(File, () => _real.Flush(flushToDisk: true));
        }
        else
        {
            _real.Flush();
        }
    }

    public override void Close() => Dispose(true);

    protected override void Dispose(bool disposing)
    {
        bool isClosing = disposing && !_isClosed;
        _isClosed |= disposing;
        try
        {
            if (isClosing)
            {
                _disk.Table.Closed(this);
                _disk.Plan.Begin(FileOperation.Close, File.Path);
            }
        }
        finally
        {
            base.Dispose(disposing);
        }
    }

    private long Offset => _real.CanSeek ? _real.Position : 0;

    private void GoTo(long position)
    {
        if (_real.CanSeek && _real.Position != position)
        {
            _real.Position = position;
        }
    }
}
