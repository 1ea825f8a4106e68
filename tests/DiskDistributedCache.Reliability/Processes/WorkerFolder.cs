using DiskDistributedCache.Reliability.Disks;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>
/// The folder on which victims work one after the other: with its witnesses on another file system, its truth, and copies of it as the
/// last victims left it.
/// </summary>
internal sealed class WorkerFolder : IDisposable
{
    private const int KeptLogs = 4;

    private readonly string _image;
    private readonly bool _isOwn;
    private readonly Queue<byte[]> _logs = new();

    /// <param name="name">Nobody else's.</param>
    /// <param name="store">Where the store is; null for a folder of temporary files.</param>
    public WorkerFolder(string name, string? store = null)
    {
        _isOwn = store is null;
        Store = store ?? Directory.CreateTempSubdirectory($"diskcache-{name}-").FullName;
        Witnesses = Directory.CreateDirectory($"{WitnessParent}/diskcache-{name}-{Environment.ProcessId}").FullName;
        _image = $"{Witnesses}-image";
    }

    public static string WitnessParent => "/dev/shm";

    public string Store { get; }

    public string Witnesses { get; }

    public WorkerTruth Truth { get; } = new();

    public WorkerArguments NewArguments(int seed, bool isRoomy, bool isBreakable = false) =>
        new(Store, Witnesses, seed, Truth.LastVersion + 1, isRoomy, isBreakable);

    /// <summary>Judges a process that has ended, and tells what is wrong with what it read.</summary>
    public Judgement Judge(Victim victim, IReadOnlyList<WorkerEvent> told, bool isWarmDue)
    {
        _logs.Enqueue(victim.Log);
        while (_logs.Count > KeptLogs)
        {
            _logs.Dequeue();
        }

        var judgement = Truth.Judge(told, isWarmDue);
        Truth.Died();
        return judgement;
    }

    /// <summary>Copies the store as it is now, in place of the copy before.</summary>
    public void TakeImage()
    {
        DeleteImage();
        CopyTo(_image);
    }

    /// <summary>The store as the one before the last victim left it, as it is now, and what the last victims told.</summary>
    public void Keep(string folder)
    {
        if (Directory.Exists(_image))
        {
            FolderCopy.AsFarAsPossible(_image, Path.Combine(folder, "before"));
        }

        CopyTo(Path.Combine(folder, "after"));
        int number = 0;
        foreach (byte[] log in _logs)
        {
            File.WriteAllBytes(Path.Combine(folder, $"{number++}.events"), log);
        }
    }

    public void Dispose()
    {
        DeleteImage();
        Directory.Delete(Witnesses, recursive: true);
        if (_isOwn)
        {
            Directory.Delete(Store, recursive: true);
        }
    }

    private void DeleteImage()
    {
        if (Directory.Exists(_image))
        {
            Directory.Delete(_image, recursive: true);
        }
    }

    private void CopyTo(string folder)
    {
        FolderCopy.AsFarAsPossible(Store, Path.Combine(folder, "store"));
        FolderCopy.AsFarAsPossible(Witnesses, Path.Combine(folder, "witnesses"));
    }
}
