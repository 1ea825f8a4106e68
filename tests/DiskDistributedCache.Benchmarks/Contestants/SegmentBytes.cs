using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// The segments of a store as mere bytes: reads as many as a record has, wherever in the files, one positional read each. No index, no
/// checksum, no copy. The store may be open.
/// </summary>
internal sealed class SegmentBytes : IDisposable
{
    private readonly List<(SafeFileHandle File, long Bytes)> _files = [];
    private readonly byte[] _record;

    public SegmentBytes(string directory, int recordBytes)
    {
        _record = new byte[recordBytes];
        foreach (string path in Directory.EnumerateFiles(directory, "*.seg", SearchOption.AllDirectories))
        {
            var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            _files.Add((file, RandomAccess.GetLength(file)));
        }
    }

    public void ReadAnywhere(Random random)
    {
        var (file, bytes) = _files[random.Next(_files.Count)];
        RandomAccess.Read(file, _record, random.NextInt64(bytes - _record.Length));
    }

    public void Dispose() => _files.ForEach(file => file.File.Dispose());
}
