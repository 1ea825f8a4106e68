using System.IO.Abstractions;
using DiskDistributedCache.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Storage;

/// <summary>
/// An open file of the store: positional reads and writes. The only class that opens files.
///
/// Through a handle and <see cref="IRandomAccess"/> where the file system has them. One that has not (a mock, or a user's own)
/// is served through a stream under a lock, where every write is flushed, so that a write that has returned is with the
/// operating system in both cases.
///
/// Faults: every member throws what the file system throws. Reading past the end is not a fault: it reads fewer bytes.
/// </summary>
internal sealed class StoreFile : IDisposable
{
    private readonly IFileSystem _fileSystem;
    private readonly bool _isReal;
    private readonly SafeFileHandle? _handle;
    private readonly FileSystemStream? _stream;
    private readonly Lock _streamLock = new();
    private readonly StoreCounts? _counts;

    // Whether that waits for nothing; found out with the first such read.
    private CachedReads _cachedReads;

    public StoreFile(
        IFileSystem fileSystem,
        string path,
        FileMode mode,
        FileAccess access,
        FileShare share,
        long preallocateBytes = 0,
        StoreCounts? counts = null)
    {
        _fileSystem = fileSystem;
        _counts = counts;
        _isReal = fileSystem.GetType() == typeof(FileSystem);
        try
        {
            _handle = fileSystem.File.OpenHandle(path, mode, access, share, FileOptions.None, preallocateBytes);
        }
        catch (IOException exception) when (preallocateBytes > 0)
        {
            throw Faults.OfPreallocation(exception);
        }
        catch (NotSupportedException)
        {
            _stream = fileSystem.FileStream.New(path, mode, access, share, 1);
        }

        if (_handle is not null && share == FileShare.None)
        {
            LockOrClose(_handle);
        }
    }

    public long Length
    {
        get
        {
            if (_handle is not null)
            {
                return _fileSystem.RandomAccess.GetLength(_handle);
            }

            lock (_streamLock)
            {
                return _stream!.Length;
            }
        }

        set
        {
            if (_handle is not null)
            {
                _fileSystem.RandomAccess.SetLength(_handle, value);
                return;
            }

            lock (_streamLock)
            {
                _stream!.SetLength(value);
                _stream.Flush();
            }
        }
    }

    /// <summary>Which file this is; null where that cannot be told.</summary>
    public FileIdentity? Identity => _handle is null ? null : NativeIo.IdentityOf(_handle);

    /// <summary>Reads until the buffer is full or the file ends; returns how many bytes were read.</summary>
    public int Read(Span<byte> to, long offset)
    {
        int done = 0;
        while (done < to.Length)
        {
            int read = ReadOnce(to[done..], offset + done);
            if (read == 0)
            {
                break;
            }

            done += read;
        }

        _counts?.Read(done);
        return done;
    }

    /// <summary>
    /// Fills the buffer if the operating system has all of it in memory, without ever waiting for the disk. Only on the real file
    /// system itself: where another stands in between, it has to see every call.
    /// </summary>
    public bool TryReadCached(Span<byte> to, long offset)
    {
        if (!HasCachedReads() || NativeIo.TryReadCached(_handle!, to, offset) != to.Length)
        {
            return false;
        }

        _counts?.Read(to.Length);
        return true;
    }

    public void Write(ReadOnlySpan<byte> from, long offset)
    {
        if (_handle is not null)
        {
            _fileSystem.RandomAccess.Write(_handle, from, offset);
        }
        else
        {
            lock (_streamLock)
            {
                _stream!.Position = offset;
                _stream.Write(from);
                _stream.Flush();
            }
        }

        _counts?.Wrote(from.Length);
    }

    /// <summary>Makes everything that was written durable, and fails if the operating system cannot promise that.</summary>
    public void Sync()
    {
        if (_handle is null)
        {
            lock (_streamLock)
            {
                _stream!.Flush(flushToDisk: true);
            }

            return;
        }

        // First ours, because the runtime's loses the error, and the kernel reports it once.
        NativeIo.Sync(_handle);
        _fileSystem.RandomAccess.FlushToDisk(_handle);
    }

    public void Dispose()
    {
        _handle?.Dispose();
        if (_stream is not null)
        {
            lock (_streamLock)
            {
                _stream.Dispose();
            }
        }
    }

    private static void LockOrClose(SafeFileHandle handle)
    {
        try
        {
            NativeIo.Lock(handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private bool HasCachedReads()
    {
        if (_cachedReads == CachedReads.Unknown)
        {
            _cachedReads = _handle is not null && _isReal && NativeIo.TryForgetAccessTime(_handle) ? CachedReads.Had : CachedReads.Missing;
        }

        return _cachedReads == CachedReads.Had;
    }

    private int ReadOnce(Span<byte> to, long offset)
    {
        if (_handle is not null)
        {
            return _fileSystem.RandomAccess.Read(_handle, to, offset);
        }

        lock (_streamLock)
        {
            _stream!.Position = offset;
            return _stream.Read(to);
        }
    }

    private enum CachedReads : byte
    {
        Unknown,
        Had,
        Missing,
    }
}
