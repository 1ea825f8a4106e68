using DiskDistributedCache.Testing;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>The ways in which the disk of a client goes away.</summary>
public enum Outage
{
    /// <summary>Every call fails with an I/O error.</summary>
    Failing,

    /// <summary>Nothing can be changed any more.</summary>
    ReadOnly,

    /// <summary>No call returns.</summary>
    Hanging,
}

internal static class Outages
{
    private const string CacheFolder = "diskcache-v1";

    private const FileOperation Changes = FileOperation.Write | FileOperation.SetLength | FileOperation.Move | FileOperation.Delete
        | FileOperation.CreateDirectory | FileOperation.DeleteDirectory;

    /// <summary>For good: until the disk is healed.</summary>
    public static void Break(this FaultInjectingFileSystem files, Outage outage)
    {
        switch (outage)
        {
            case Outage.Failing:
                files.Fail(FileOperation.Any, CacheFolder, error: DiskError.InputOutput);
                break;
            case Outage.ReadOnly:
                files.Fail(Changes, CacheFolder, error: DiskError.ReadOnlyFileSystem);
                break;
            default:
                files.Hold(FileOperation.Any, CacheFolder);
                break;
        }
    }
}
