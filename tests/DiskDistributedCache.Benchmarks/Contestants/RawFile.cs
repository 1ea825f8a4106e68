using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// What the operating system can do at best: one positional read or one append of the bytes of a record, on the caller's
/// thread, with no index, no checksum and no copy. A record is the value and <see cref="OverheadBytes"/> for header and key.
/// </summary>
internal sealed class RawFile : Contestant
{
    private const int OverheadBytes = 128;

    private readonly int _recordBytes;
    private readonly int _batch;
    private readonly SafeFileHandle _read;
    private readonly SafeFileHandle _appended;
    private readonly byte[][] _buffers;
    private readonly byte[] _written;
    private long _end;
    private int _waiting;

    /// <param name="workload">The entries.</param>
    /// <param name="directory">Where the two files are made.</param>
    /// <param name="batch">Records per append. Above 1 a single caller appends, whatever the claim asks for.</param>
    public RawFile(Workload workload, string directory, int batch)
        : base(batch == 1 ? "raw" : "raw-batch", workload)
    {
        _batch = batch;
        _recordBytes = workload.ValueBytes + OverheadBytes;
        _read = OpenNew(Path.Combine(directory, "read"));
        _appended = OpenNew(Path.Combine(directory, "append"));
        _buffers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new byte[_recordBytes])];
        _written = new byte[_recordBytes * batch];
        new Random(batch).NextBytes(_written);
    }

    public override int CallersFor(int callers) => _batch == 1 ? callers : 1;

    public override ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        byte[] buffer = _buffers[caller];
        int read = RandomAccess.Read(_read, buffer, (long)entry * _recordBytes);
        return new(read == _recordBytes ? buffer.AsMemory(OverheadBytes) : default(ReadOnlyMemory<byte>));
    }

    public override ValueTask SetAsync(int caller, int entry)
    {
        // The counter is touched by the single caller of a batch only.
        if (_batch == 1 || ++_waiting == _batch)
        {
            if (_batch > 1)
            {
                _waiting = 0;
            }

            RandomAccess.Write(_appended, _written, Interlocked.Add(ref _end, _written.Length) - _written.Length);
        }

        return ValueTask.CompletedTask;
    }

    public override Task FillAsync()
    {
        byte[] record = new byte[_recordBytes];
        for (int entry = 0; entry < Workload.Entries; entry++)
        {
            Workload.Value(entry).CopyTo(record, OverheadBytes);
            RandomAccess.Write(_read, record, (long)entry * _recordBytes);
        }

        return Task.CompletedTask;
    }

    public override ValueTask DisposeAsync()
    {
        _read.Dispose();
        _appended.Dispose();
        return ValueTask.CompletedTask;
    }

    private static SafeFileHandle OpenNew(string path) => File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
}
