using DiskDistributedCache.Reliability.Processes;

namespace DiskDistributedCache.Reliability.Disks;

/// <summary>A file system of its own: on a file, or in memory.</summary>
internal sealed class MountedDisk : IAsyncDisposable
{
    private const int Tries = 50;
    private static readonly TimeSpan s_busy = TimeSpan.FromMilliseconds(20);

    private readonly string[] _mount;
    private readonly string _own;

    private MountedDisk(string own, string? image, params string[] mount)
    {
        (_own, Image, _mount) = (own, image, mount);
        Folder = Directory.CreateDirectory(Path.Combine(own, "disk")).FullName;
    }

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    public string? Image { get; }

    /// <summary>ext4 on a file.</summary>
    /// <param name="folder">Where the file is to be; null for the temporary files.</param>
    /// <param name="mib">How large it is.</param>
    /// <param name="options">Options of the mount.</param>
    /// <param name="making">Arguments of mkfs.</param>
    public static async Task<MountedDisk> Ext4Async(string? folder, int mib, string options, params string[] making)
    {
        string own = NewFolder();
        string image = Path.Combine(folder ?? own, "image");
        await using (var file = File.Create(image))
        {
            file.SetLength((long)mib << 20);
        }

        await Shell.RunAsync("mkfs.ext4", ["-q", "-F", .. making, image]);
        var disk = new MountedDisk(own, image, "-o", $"loop,{options}", image);
        await disk.MountAsync();
        return disk;
    }

    public static async Task<MountedDisk> InMemoryAsync(string options)
    {
        var disk = new MountedDisk(NewFolder(), null, "-t", "tmpfs", "-o", options, "tmpfs");
        await disk.MountAsync();
        return disk;
    }

    public Task MountAsync() => Shell.RunAsync("mount", [.. _mount, Folder]);

    /// <summary>Tried again while somebody who is about to end still has something open.</summary>
    public async Task UnmountAsync()
    {
        for (int tries = 0; tries < Tries && (await Shell.TryAsync("umount", Folder)).Code != 0; tries++)
        {
            await Task.Delay(s_busy);
        }

        if (IsMounted())
        {
            await Shell.RunAsync("umount", Folder);
        }
    }

    /// <summary>As by a power cut: from here on the file system refuses everything, and what was not synced is lost.</summary>
    public void CutPower(bool losesJournal) =>
        Native.ShutDown(Folder, losesJournal ? Native.ShutdownLosingJournal : Native.ShutdownKeepingJournal);

    public async ValueTask DisposeAsync()
    {
        await Shell.TryAsync("umount", "-l", Folder);
        Directory.Delete(_own, recursive: true);
    }

    private bool IsMounted() => File.ReadLines("/proc/self/mounts").Any(line => line.Contains($" {Folder} ", StringComparison.Ordinal));

    private static string NewFolder() => Directory.CreateTempSubdirectory("diskcache-disk-").FullName;
}
