using System.IO.Abstractions;
using DiskDistributedCache.Testing;

namespace MinimalApi;

/// <summary>
/// The disk of the cache, to be broken and healed on purpose. Only the cache sees it: the site's own data are read past it. In
/// development only.
/// </summary>
internal sealed class BreakableDisk
{
    private const string CacheFolder = "diskcache-v1";
    private const string Segments = ".seg";

    // A bit in the middle of a record of any size that the site has: in its value.
    private const long FlippedBit = 8 * 300;

    private const FileOperation Changes = FileOperation.Write | FileOperation.SetLength | FileOperation.Move | FileOperation.Delete
        | FileOperation.CreateDirectory | FileOperation.DeleteDirectory;

    private readonly Lock _lock = new();

    // A list of all calls would grow for as long as the site runs.
    private readonly FaultInjectingFileSystem _files = new() { KeepsCalls = false };

    /// <summary>The faults by name, and what each does.</summary>
    public static IReadOnlyDictionary<string, string> Faults { get; } = new Dictionary<string, string>
    {
        ["fail"] = "every call fails (EIO)",
        ["full"] = "there is no room (ENOSPC)",
        ["readonly"] = "nothing can be changed (EROFS)",
        ["hang"] = "no call returns",
        ["corrupt"] = "every read of a segment has one bit the other way round",
        ["heal"] = "healthy",
    };

    public IFileSystem Files => _files;

    /// <summary>What the disk does at the moment, for people.</summary>
    public string State { get; private set; } = Faults["heal"];

    /// <summary>Takes the last fault back and begins another one. False when there is none of this name.</summary>
    public bool TryBreak(string fault)
    {
        if (!Faults.TryGetValue(fault, out var state))
        {
            return false;
        }

        lock (_lock)
        {
            _files.Heal();
            _files.FreeBytes = fault == "full" ? 0 : null;
            switch (fault)
            {
                case "fail":
                    _files.Fail(FileOperation.Any, CacheFolder, error: DiskError.InputOutput);
                    break;
                case "readonly":
                    _files.Fail(Changes, CacheFolder, error: DiskError.ReadOnlyFileSystem);
                    break;
                case "hang":
                    _files.Hold(FileOperation.Any, CacheFolder);
                    break;
                case "corrupt":
                    _files.FlipReads(FlippedBit, Segments);
                    break;
            }

            State = state;
        }

        return true;
    }
}
