using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>How a disk can be away.</summary>
internal enum Outage
{
    DiskFull,
    InputOutputErrors,
    ReadOnly,

    /// <summary>Really: the folder is deleted.</summary>
    DirectoryRemoved,

    Hung,
}

/// <summary>What a caller does meanwhile.</summary>
internal enum OutageChange
{
    Set,
    Overwrite,
    Remove,
    EvictTag,
    Clear,
    Refresh,
}

/// <summary>What happens then.</summary>
internal enum OutageEnd
{
    RecoveredAndRead,
    RecoveredAndRestarted,
    RecoveredAndKilled,
    KilledBefore,
    RestartedBefore,
    PowerCutBefore,
}

/// <summary>Brings outages about, and ends them.</summary>
internal static class Outages
{
    private const FileOperation Changing = FileOperation.Any
        & ~(FileOperation.Read | FileOperation.GetLength | FileOperation.Exists | FileOperation.List | FileOperation.FreeSpace);

    public static void Begin(this Outage outage, SweepProcess process)
    {
        switch (outage)
        {
            case Outage.DiskFull:
                process.Files.FreeBytes = 0;
                break;
            case Outage.InputOutputErrors:
                process.Files.Fail(FileOperation.Any, process.InRoot);
                break;
            case Outage.ReadOnly:
                process.Files.Fail(Changing, process.InRoot, error: DiskError.ReadOnlyFileSystem);
                break;
            case Outage.DirectoryRemoved:
                Directory.Delete(process.Root, recursive: true);
                break;
            case Outage.Hung:
                process.Files.Hold(FileOperation.Any, process.InRoot);
                break;
        }
    }

    public static void End(SweepProcess process)
    {
        process.Files.FreeBytes = null;
        process.Files.Heal();
    }
}
