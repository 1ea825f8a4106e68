using System.Globalization;

namespace DiskDistributedCache.Reliability.Processes;

/// <summary>
/// What a worker is to work on. A roomy store reclaims nothing as long as it is not worked on for too long; the disk of a breakable one can
/// be broken while it works.
/// </summary>
internal sealed record WorkerArguments(string Directory, string WitnessDirectory, int Seed, int FirstVersion, bool IsRoomy, bool IsBreakable = false)
{
    /// <summary>The hidden first argument of the program.</summary>
    public const string Word = "worker";

    public const int KeyCount = Threads * KeysOfThread;
    public const int Threads = 4;
    public const int KeysOfThread = 64;
    public const int TagsOfThread = 4;

    /// <summary>With this much in it, no roomy store has begun to reclaim.</summary>
    public const long RoomyBytes = 20 << 20;

    public static WorkerArguments Parse(string[] arguments) => new(
        arguments[1],
        arguments[2],
        int.Parse(arguments[3], CultureInfo.InvariantCulture),
        int.Parse(arguments[4], CultureInfo.InvariantCulture),
        arguments[5] == "roomy",
        arguments[6] == "breakable");

    public IEnumerable<string> ToArguments() =>
    [
        Word,
        Directory,
        WitnessDirectory,
        Seed.ToString(CultureInfo.InvariantCulture),
        FirstVersion.ToString(CultureInfo.InvariantCulture),
        IsRoomy ? "roomy" : "tight",
        IsBreakable ? "breakable" : "sound",
    ];

    /// <summary>
    /// All that repeats is short. The timeout is long: what was acknowledged because a busy machine was slow would be owed, and a kill
    /// would then rightly be followed by an empty cache.
    /// </summary>
    public DiskDistributedCacheOptions ToOptions() => new()
    {
        Directory = Directory,
        WitnessDirectory = WitnessDirectory,
        MaxDiskBytes = IsRoomy ? 2 * RoomyBytes : 1 << 20,
        SegmentBytes = 64 << 10,
        MaxMemoryBytes = IsRoomy ? 1 << 20 : 128 << 10,
        MinFreeDiskBytes = 1 << 20,
        IoTimeout = TimeSpan.FromSeconds(5),
        HeartbeatInterval = TimeSpan.FromMilliseconds(100),
        HealthCheckInterval = TimeSpan.FromSeconds(1),
        RecoveryInterval = TimeSpan.FromSeconds(1),
        BreakDuration = TimeSpan.FromSeconds(6),
    };

    public static string NameOf(int key) => $"key {key}";

    public static int ThreadOf(int key) => key / KeysOfThread;
}
