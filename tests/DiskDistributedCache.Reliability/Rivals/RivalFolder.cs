namespace DiskDistributedCache.Reliability.Rivals;

/// <summary>A folder of one image, which goes with it.</summary>
internal sealed class RivalFolder : IDisposable
{
    private const int SectorBytes = 512;

    public string Path { get; } = Directory.CreateTempSubdirectory("diskcache-rival-").FullName;

    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(System.IO.Path.Combine(to, System.IO.Path.GetRelativePath(from, folder)));
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, System.IO.Path.Combine(to, System.IO.Path.GetRelativePath(from, file)), overwrite: true);
        }
    }

    /// <summary>Takes every byte that the file system has.</summary>
    public static void FillDisk(string path)
    {
        byte[] piece = new byte[1 << 20];
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int bytes = piece.Length; bytes >= 1; bytes /= 2)
        {
            try
            {
                while (true)
                {
                    file.Write(piece, 0, bytes);
                }
            }
            catch (IOException)
            {
                // As large a piece does not fit any more.
            }
        }
    }

    /// <summary>Flips a bit, zeroes a sector or cuts a file, at a place that depends on the random numbers and the bytes there are. Says what.</summary>
    public string Damage(Random random)
    {
        int kind = random.Next(4);
        double place = random.NextDouble();
        int bit = random.Next(8);
        var files = Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => new FileInfo(path)).Where(file => file.Length > 0).ToArray();
        long at = (long)(place * files.Sum(file => file.Length));
        int index = 0;
        while (at >= files[index].Length)
        {
            at -= files[index++].Length;
        }

        using var stream = files[index].Open(FileMode.Open, FileAccess.ReadWrite);
        switch (kind)
        {
            case 0:
                stream.SetLength(at);
                return $"{files[index].Name} cut at {at}";
            case 1:
                stream.Position = at / SectorBytes * SectorBytes;
                stream.Write(new byte[Math.Min(SectorBytes, stream.Length - stream.Position)]);
                return $"sector at {at} of {files[index].Name} zeroed";
            default:
                stream.Position = at;
                int before = stream.ReadByte();
                stream.Position = at;
                stream.WriteByte((byte)(before ^ (1 << bit)));
                return $"bit {bit} of byte {at} of {files[index].Name} flipped";
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // Somebody still writes there; it is a folder of temporary files.
        }
    }
}

/// <summary>A store of known entries, some overwritten and some removed, that was closed; images are copies of it.</summary>
internal sealed class RivalTemplate : IDisposable
{
    private readonly RivalFolder _folder = new();

    public RivalTruth Truth { get; } = new([]);

    public static async Task<RivalTemplate> MakeAsync(string name, int entryCount)
    {
        var template = new RivalTemplate();
        await using var cache = await Contender.OpenAsync(name, template._folder.Path);
        for (int version = 1; version <= 2; version++)
        {
            for (int key = 0; key < entryCount; key++)
            {
                if (version == 1 || key % 4 == 0)
                {
                    await template.Truth.MutateAsync(cache, RivalTruth.Key(key), version == 2 && key % 8 == 0 ? 0 : version);
                }
            }
        }

        return template;
    }

    public void CopyTo(string folder) => RivalFolder.Copy(_folder.Path, folder);

    public void Dispose() => _folder.Dispose();
}
