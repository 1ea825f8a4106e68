namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>The files of a cache directory at one moment, by their paths in it. Never changed: damage makes another image.</summary>
internal sealed class StoreImage
{
    private readonly SortedDictionary<string, byte[]> _files;

    private StoreImage(SortedDictionary<string, byte[]> files) => _files = files;

    public IEnumerable<string> Paths => _files.Keys;

    public byte[] this[string path] => _files[path];

    public static StoreImage Take(string directory)
    {
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
        {
            files.Add(Path.GetRelativePath(directory, path), ReadShared(path));
        }

        return new StoreImage(files);
    }

    public static StoreImage Of(DiskImage image) =>
        new(new SortedDictionary<string, byte[]>(image.Files.ToDictionary(path => path, image.ReadAllBytes), StringComparer.Ordinal));

    public StoreImage Flipped(string path, int offset, byte bits)
    {
        byte[] bytes = (byte[])_files[path].Clone();
        bytes[offset] ^= bits;
        return With(path, bytes);
    }

    public StoreImage Cut(string path, int length) => With(path, _files[path][..length]);

    /// <summary>From this offset on the file has zeros, and the length it had.</summary>
    public StoreImage Zeroed(string path, int from)
    {
        byte[] bytes = (byte[])_files[path].Clone();
        bytes.AsSpan(from).Clear();
        return With(path, bytes);
    }

    public StoreImage Without(string path)
    {
        var files = new SortedDictionary<string, byte[]>(_files, StringComparer.Ordinal);
        files.Remove(path);
        return new StoreImage(files);
    }

    /// <summary>
    /// The files of this image, of whose contents each sector is taken from this one or, where they have it, from one of the others, by the throw
    /// of a coin.
    /// </summary>
    public StoreImage MixedWith(IReadOnlyList<StoreImage> others, int sectorBytes, Random random)
    {
        var mixed = this;
        foreach (var (path, bytes) in _files)
        {
            byte[] copy = (byte[])bytes.Clone();
            for (int at = 0; at < copy.Length; at += sectorBytes)
            {
                if (random.Next(others.Count + 1) is var which and > 0 && others[which - 1]._files.TryGetValue(path, out byte[]? other) && other.Length > at)
                {
                    int length = Math.Min(sectorBytes, Math.Min(copy.Length, other.Length) - at);
                    other.AsSpan(at, length).CopyTo(copy.AsSpan(at));
                }
            }

            mixed = mixed.With(path, copy);
        }

        return mixed;
    }

    /// <summary>Makes a directory hold this image and nothing else.</summary>
    public void WriteTo(string directory)
    {
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }

        foreach (var (path, bytes) in _files)
        {
            string full = Path.Combine(directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            using var file = File.OpenHandle(full, FileMode.CreateNew, FileAccess.Write);
            RandomAccess.Write(file, bytes.AsSpan(0, bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 1), 0);
            RandomAccess.SetLength(file, bytes.Length);
        }

        Directory.CreateDirectory(directory);
    }

    public StoreImage With(string path, byte[] bytes) =>
        new(new SortedDictionary<string, byte[]>(_files, StringComparer.Ordinal) { [path] = bytes });

    private static byte[] ReadShared(string path)
    {
        // Not File.ReadAllBytes: the lock file of an open cache may not be read by others.
        if (Path.GetFileName(path) == "cache.lock")
        {
            return [];
        }

        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[RandomAccess.GetLength(file)];
        RandomAccess.Read(file, bytes, 0);
        return bytes;
    }
}
