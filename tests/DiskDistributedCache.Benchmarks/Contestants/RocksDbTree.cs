using System.Runtime.InteropServices;
using RocksDbSharp;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// RocksDB with its defaults, but without compression, which would be tried in vain on pseudo-random bytes. Everything runs on the
/// caller's thread except flushes and compactions. After filling, the table in memory is flushed, so that reads are of its files;
/// its block cache stays.
/// </summary>
internal sealed class RocksDbTree : Contestant
{
    private readonly RocksDb _store;
    private readonly byte[][] _keys;
    private readonly byte[][] _buffers;

    public RocksDbTree(Workload workload, string directory)
        : base("rocksdb", workload)
    {
        var options = new DbOptions().SetCreateIfMissing(true);
        options.SetCompression(Compression.No);
        _store = RocksDb.Open(options, directory);
        _keys = [.. Enumerable.Range(0, workload.Entries).Select(entry => MemoryMarshal.AsBytes(workload.Key(entry).AsSpan()).ToArray())];
        _buffers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new byte[workload.ValueBytes])];
    }

    public override ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        byte[] buffer = _buffers[caller];
        long length = _store.Get(_keys[entry], buffer, 0, buffer.Length);
        return new(length < 0 ? default(ReadOnlyMemory<byte>) : buffer.AsMemory(0, (int)Math.Min(length, buffer.Length)));
    }

    public override ValueTask SetAsync(int caller, int entry)
    {
        _store.Put(_keys[entry], Workload.Value(entry));
        return ValueTask.CompletedTask;
    }

    public override async Task FillAsync()
    {
        await base.FillAsync();
        _store.Flush(new FlushOptions().SetWaitForFlush(true));
    }

    public override ValueTask DisposeAsync()
    {
        _store.Dispose();
        return ValueTask.CompletedTask;
    }
}
