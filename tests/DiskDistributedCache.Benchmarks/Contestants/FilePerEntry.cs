using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// The cache that one writes in an afternoon: a file per entry, named by a hash of the key, in 256 folders, written under a
/// temporary name and renamed. It has no expiry, no limit, no checksum and does not notice two keys of one hash.
/// </summary>
internal class FilePerEntry : Contestant
{
    private readonly string _directory;
    private readonly byte[][] _buffers;
    private long _writes;

    public FilePerEntry(Workload workload, string directory, string name = "file")
        : base(name, workload)
    {
        _directory = directory;
        _buffers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new byte[BufferBytes(workload.ValueBytes)])];
        for (int folder = 0; folder < 256; folder++)
        {
            Directory.CreateDirectory(Path.Combine(directory, folder.ToString("x2", CultureInfo.InvariantCulture)));
        }
    }

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        try
        {
            string path = PathOf(Workload.Key(entry));
            using var file = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous);
            var buffer = _buffers[caller].AsMemory(0, checked((int)RandomAccess.GetLength(file)));
            return Unpack(caller, buffer[..await RandomAccess.ReadAsync(file, buffer, 0)]);
        }
        catch (FileNotFoundException)
        {
            return default;
        }
    }

    public override async ValueTask SetAsync(int caller, int entry)
    {
        string path = PathOf(Workload.Key(entry));
        string temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Interlocked.Increment(ref _writes)}.tmp");
        using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.Asynchronous))
        {
            await RandomAccess.WriteAsync(file, Pack(caller, Workload.Value(entry)), 0);
        }

        File.Move(temporary, path, overwrite: true);
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The bytes of the file of a value, valid until the caller's next call.</summary>
    protected virtual ReadOnlyMemory<byte> Pack(int caller, byte[] value) => value;

    /// <summary>The value of the bytes of a file, valid until the caller's next call.</summary>
    protected virtual ReadOnlyMemory<byte> Unpack(int caller, ReadOnlyMemory<byte> bytes) => bytes;

    /// <summary>Room for a file, which may be longer than its value: random bytes grow when they are packed fast.</summary>
    private static int BufferBytes(int valueBytes) => valueBytes + (valueBytes / 4) + 1024;

    private string PathOf(string key)
    {
        string hash = Convert.ToHexStringLower(XxHash128.Hash(MemoryMarshal.AsBytes(key.AsSpan())));
        return Path.Join(_directory, hash.AsSpan(0, 2), hash);
    }
}
