namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>A directory for one worker of a sweep, in memory where the machine has such a place: a sync costs nothing there.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private const string SharedMemory = "/dev/shm";

    public string Path { get; } = Directory.Exists(SharedMemory)
        ? Directory.CreateDirectory(System.IO.Path.Combine(SharedMemory, "diskcache-test-" + Guid.NewGuid().ToString("N"))).FullName
        : Directory.CreateTempSubdirectory("diskcache-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
