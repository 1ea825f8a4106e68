namespace DiskDistributedCache.Reliability.Disks;

internal enum SmallDiskKind
{
    BytesOfTmpfs,
    InodesOfTmpfs,
    BytesOfExt4,
    InodesOfExt4,

    /// <summary>A file system that promises more than is there: writes are taken, the sync fails.</summary>
    ThinExt4,
}

/// <summary>A file system that others can fill and free.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const int MaxFiles = 100_000;

    private readonly MountedDisk _disk;
    private readonly MountedDisk? _under;
    private readonly string _others;

    private SmallDisk(SmallDiskKind kind, MountedDisk disk, MountedDisk? under = null)
    {
        (Kind, _disk, _under) = (kind, disk, under);
        _others = Path.Combine((under ?? disk).Folder, "others");
    }

    public SmallDiskKind Kind { get; }

    public string Folder => _disk.Folder;

    public static async Task<SmallDisk> NewAsync(SmallDiskKind kind)
    {
        switch (kind)
        {
            case SmallDiskKind.BytesOfTmpfs:
                return new SmallDisk(kind, await MountedDisk.InMemoryAsync("size=8m"));
            case SmallDiskKind.InodesOfTmpfs:
                return new SmallDisk(kind, await MountedDisk.InMemoryAsync("size=32m,nr_inodes=60"));
            case SmallDiskKind.BytesOfExt4:
                return new SmallDisk(kind, await MountedDisk.Ext4Async(null, 12, "data=ordered", "-m", "0"));
            case SmallDiskKind.InodesOfExt4:
                return new SmallDisk(kind, await MountedDisk.Ext4Async(null, 32, "data=ordered", "-m", "0", "-N", "80"));
            default:
                var under = await MountedDisk.InMemoryAsync("size=12m");
                return new SmallDisk(kind, await MountedDisk.Ext4Async(under.Folder, 64, "errors=continue", "-m", "0", "-O", "^has_journal"), under);
        }
    }

    /// <summary>Until nothing more is taken.</summary>
    public void Fill()
    {
        if (Kind is SmallDiskKind.InodesOfTmpfs or SmallDiskKind.InodesOfExt4)
        {
            FillInodes();
        }
        else
        {
            FillBytes();
        }
    }

    public void Free()
    {
        if (Directory.Exists(_others))
        {
            Directory.Delete(_others, recursive: true);
        }
    }

    /// <summary>A file system that has turned read-only is made writable, as an operator would: nothing in the process can do that.</summary>
    /// <returns>Whether it had.</returns>
    public async Task<bool> RepairAsync()
    {
        try
        {
            File.Create(Path.Combine(Folder, "probe"), 1, FileOptions.DeleteOnClose).Dispose();
            return false;
        }
        catch (IOException)
        {
            await Shell.RunAsync("mount", "-o", "remount,rw", Folder);
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _disk.DisposeAsync();
        if (_under is not null)
        {
            await _under.DisposeAsync();
        }
    }

    private void FillInodes()
    {
        try
        {
            Directory.CreateDirectory(_others);
            for (int i = 0; i < MaxFiles; i++)
            {
                File.Create(Path.Combine(_others, Guid.NewGuid().ToString("N"))).Dispose();
            }
        }
        catch (IOException)
        {
            // No more inodes: that is what is wanted.
        }
    }

    private void FillBytes()
    {
        byte[] block = new byte[64 << 10];
        Random.Shared.NextBytes(block);
        for (int bytes = block.Length; bytes >= 512; bytes /= 2)
        {
            try
            {
                Directory.CreateDirectory(_others);
                using var file = File.OpenHandle(Path.Combine(_others, "bytes"), FileMode.OpenOrCreate, FileAccess.Write);
                while (true)
                {
                    RandomAccess.Write(file, block.AsSpan(0, bytes), RandomAccess.GetLength(file));
                }
            }
            catch (IOException)
            {
                // Full for a block of this size: that is what is wanted.
            }
        }
    }
}
