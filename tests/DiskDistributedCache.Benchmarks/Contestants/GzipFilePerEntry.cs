using System.IO.Compression;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// The same with each file compressed, as fast as gzip goes. The values of the workload are random bytes, which cannot be made smaller: gzip has nothing but
/// work of them, and the files are a little longer.
/// </summary>
internal sealed class GzipFilePerEntry(Workload workload, string directory) : FilePerEntry(workload, directory, "file-gzip")
{
    private readonly MemoryStream[] _packed = [.. Enumerable.Range(0, MaxCallers).Select(_ => new MemoryStream(workload.ValueBytes))];
    private readonly byte[][] _values = [.. Enumerable.Range(0, MaxCallers).Select(_ => new byte[workload.ValueBytes])];

    protected override ReadOnlyMemory<byte> Pack(int caller, byte[] value)
    {
        var packed = _packed[caller];
        packed.SetLength(0);
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(value);
        }

        return packed.GetBuffer().AsMemory(0, (int)packed.Length);
    }

    protected override ReadOnlyMemory<byte> Unpack(int caller, ReadOnlyMemory<byte> bytes)
    {
        var file = MemoryMarshal.TryGetArray(bytes, out var array) ? array : throw new InvalidOperationException("The bytes are in no array.");
        using var gzip = new GZipStream(new MemoryStream(file.Array!, file.Offset, file.Count), CompressionMode.Decompress);
        var value = _values[caller];
        return value.AsMemory(0, gzip.ReadAtLeast(value, value.Length, throwOnEndOfStream: false));
    }
}
