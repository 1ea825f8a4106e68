using DiskDistributedCache.Entries;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>Settings of a <see cref="DiskCache"/>. They are validated before the cache is used.</summary>
public sealed class DiskDistributedCacheOptions : IOptions<DiskDistributedCacheOptions>
{
    /// <summary>The configuration section that is bound to the options: <c>DiskDistributedCache</c>.</summary>
    public const string SectionName = "DiskDistributedCache";

    private DiskCacheProtector? _protector;

    /// <summary>
    /// Where the cache makes its folder <c>diskcache-v1</c>. Default: a folder named after the application under the user's
    /// cache directory (<c>$XDG_CACHE_HOME</c> or <c>~/.cache</c>; <c>%LOCALAPPDATA%</c> on Windows), with a hash of the
    /// content root, so that an application that is deployed to another folder each time has to set it. A keyed cache has a
    /// folder with its name inside the directory of the default cache. A relative path starts at the current directory. One
    /// cache of one process at a time.
    /// </summary>
    public string? Directory { get; set; }

    /// <summary>Bytes that the segments may take. Default 1 GiB; at least 1 MiB, at most 4,096 times <see cref="SegmentBytes"/>.</summary>
    public long MaxDiskBytes { get; set; } = 1L << 30;

    /// <summary>Bytes of keys, values, tags and overhead that the memory tier may hold. Default 64 MiB; 0 turns the tier off.</summary>
    public long MaxMemoryBytes { get; set; } = 64L << 20;

    /// <summary>
    /// Bytes that the memory tier may hold while the disk cannot be used. Default: twice <see cref="MaxMemoryBytes"/>; never less
    /// than that.
    /// </summary>
    public long? MemoryOnlyMaxMemoryBytes { get; set; }

    /// <summary>
    /// The largest value, in bytes. Default 64 MiB; 1 byte to 1 GiB. A larger one is not stored, and an older version of
    /// its key goes too. So it is with one that does not fit, with its key and tags, into 1 GiB and half of <see cref="MaxDiskBytes"/>.
    /// </summary>
    public long MaxEntryBytes { get; set; } = 64L << 20;

    /// <summary>
    /// Bytes of one segment file. Default 16 MiB; 64 KiB to 1 GiB; lowered to a sixteenth of <see cref="MaxDiskBytes"/> where
    /// that is less. An entry that does not fit has a segment of its own.
    /// </summary>
    public int SegmentBytes { get; set; } = 16 << 20;

    /// <summary>
    /// Entries that the index may hold, at up to 40 bytes of memory each. Default 2,000,000; at least 1. At the limit the
    /// oldest segment is reclaimed.
    /// </summary>
    public int MaxEntries { get; set; } = 2_000_000;

    /// <summary>
    /// Bytes that the cache leaves free on its file system: below that it does not grow but reclaims. Default 64 MiB; 0 or more. A
    /// file system that does not say how much is free has no such limit.
    /// </summary>
    public long MinFreeDiskBytes { get; set; } = 64L << 20;

    /// <summary>
    /// The longest that a caller waits for the disk, in real time. Default 80 ms; 1 ms to 1 minute, and shorter than
    /// <see cref="BreakDuration"/>.
    /// </summary>
    public TimeSpan IoTimeout { get; set; } = TimeSpan.FromMilliseconds(80);

    /// <summary>Disk operations that have to fail in a row for the disk to be left alone for a moment. Default 3; 2 to 1,000.</summary>
    public int FailureThreshold { get; set; } = 3;

    /// <summary>How long the disk is left alone before one operation tries it again. Default 30 s; 500 ms to 1 day.</summary>
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The cache gives the disk up and works from memory when more operations than this have failed since the last healthy probe.
    /// Default 10; 1 or more.
    /// </summary>
    public int MemoryOnlyThreshold { get; set; } = 10;

    /// <summary>How often the disk is probed while it is in use. Default 1 minute; 1 s to 1 day.</summary>
    public TimeSpan HealthCheckInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often the cache tries to bring the disk back when it has been given up. Default 5 minutes; 1 s to 1 day.</summary>
    public TimeSpan RecoveryInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// A folder outside the file system of the cache, in which the cache keeps the proof that its disk was healthy: a store
    /// that a killed process has left is trusted only with it. Default: <c>/dev/shm</c> or <c>$XDG_RUNTIME_DIR</c> on Linux,
    /// and none elsewhere, where a killed process is followed by an empty cache. Has to survive the process, may survive the operating
    /// system, and is for this one store if others have the same path in a container of their own.
    /// </summary>
    public string? WitnessDirectory { get; set; }

    /// <summary>How often the position of the log is marked and the clock's high-water mark stored. Default 5 s; 100 ms to 1 day.</summary>
    public TimeSpan HeartbeatInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether each batch is read back and compared before it is acknowledged. Default <see langword="true"/>.</summary>
    public bool VerifyWrites { get; set; } = true;

    /// <summary>
    /// Bytes of corrupt records that are kept for inspection, in at most 1,024 files, the oldest of which go first. Default 64 MiB; with 0
    /// none are kept, and <see cref="DiskCache.GetQuarantine"/> lists them all the same.
    /// </summary>
    public long MaxQuarantineBytes { get; set; } = 64L << 20;

    /// <summary>
    /// How values are compressed on disk. Default <see cref="DiskCacheCompression.None"/>. A value is compressed by its caller, and
    /// stored as it is where that saves less than a tenth of it. Memory holds values as they are. What is on disk can be read with
    /// any setting.
    /// </summary>
    public DiskCacheCompression Compression { get; set; }

    /// <summary>Bytes below which a value is not compressed. Default 1 KiB; 0 or more.</summary>
    public int CompressionThresholdBytes { get; set; } = 1 << 10;

    /// <summary>
    /// Encrypts the values on disk. Without it they are in clear text, in a folder that only the user of the process may enter. Keys and
    /// tags are in clear text with it too, and how long a value is can be seen. Turning encryption on or off begins a new store, and
    /// the old one is erased. In ASP.NET Core <c>AddDiskCacheDataProtection</c> of the package <c>DiskDistributedCache.AspNetCore</c>
    /// calls this.
    /// </summary>
    /// <param name="protector">
    /// Encrypts and decrypts; may be the same for several caches, and is not disposed of. <see langword="null"/> turns encryption off.
    /// </param>
    public void UseProtector(DiskCacheProtector? protector) => (_protector, HasChosenProtector) = (protector, true);

    /// <summary>Whether the application has said how values are encrypted, or that they are not.</summary>
    internal bool HasChosenProtector { get; private set; }

    /// <summary>What encrypts the values; null where they are in clear text. No property, because a configuration cannot set it.</summary>
    internal DiskCacheProtector? GetProtector() => _protector;

    /// <summary>
    /// Names keys whose values must not be lost before what is older than them, as long as they have not expired: they are kept in
    /// memory whatever else has to go, at most a quarter of <see cref="MaxMemoryBytes"/> (or 2 MiB) and an eighth of
    /// <see cref="MaxDiskBytes"/> of them, and a read throws a <see cref="DiskCacheUnavailableException"/> rather than call unknown a
    /// miss. When there are more, everything is cleared. The marks of HybridCache (<c>__MSFT_HCT__</c>) and FusionCache
    /// (<c>__fc:t:</c>) are always among them. Called with the caller's key at every set and at reads that the cache cannot
    /// answer; has to be quick, must not throw and must always say the same. What it says holds for values that are stored from then on.
    /// Default: none.
    /// </summary>
    public Func<string, bool>? RetainKey { get; set; }

    /// <summary>
    /// What a read answers when it is not known whether the key has a value, because the disk could not be asked in time. Default
    /// <see cref="UnknownRead.Miss"/>. Output caching always gets a miss.
    /// </summary>
    public UnknownRead OnUnknown { get; set; }

    /// <summary>
    /// Put before every key of the distributed cache, so that several applications can be told apart in what they share. Tags and
    /// the keys of the output cache have none. Costs each call a string. Default: nothing.
    /// </summary>
    public string? InstanceName { get; set; }

    /// <summary>
    /// How long an entry of the distributed cache lives that is set without any expiration. Default: until its space is needed.
    /// </summary>
    public TimeSpan? DefaultAbsoluteExpirationRelativeToNow { get; set; }

    /// <summary>
    /// How long an entry of the distributed cache that is set without any expiration lives after its last use. Default: no limit.
    /// </summary>
    public TimeSpan? DefaultSlidingExpiration { get; set; }

    /// <summary>
    /// Says what a hit of a value saves the application, for the instrument <c>diskcache.saved.cost</c>: tokens of a language model,
    /// milliseconds of a query, whatever <see cref="SavedUnit"/> names. Default <see langword="null"/>: only bytes are counted.
    /// </summary>
    /// <remarks>
    /// Called on the thread of the caller, with the first hit of an entry since it came to memory; the answer is kept beside the
    /// entry and costs the hits after that nothing. Answers below 0 count as 0, and above <see cref="int.MaxValue"/> as that. An exception counts as 0
    /// and is logged once. It must not call the cache, and must always answer the same for the same value.
    /// </remarks>
    /// <example>
    /// Answers of a language model that are cached as they came, with the tokens that they have cost:
    /// <code>
    /// options.SavedUnit = "token";
    /// options.SavedPerHit = static hit =>
    ///     JsonDocument.Parse(hit.Value).RootElement.GetProperty("usage").GetProperty("total_tokens").GetInt64();
    /// </code>
    /// </example>
    public Func<DiskCacheHit, long>? SavedPerHit { get; set; }

    /// <summary>
    /// In what <see cref="SavedPerHit"/> measures, for example <c>token</c> or <c>ms</c>: the attribute <c>diskcache.saved.unit</c> of the instrument.
    /// Default <c>1</c>; 1 to 63 characters, none of them white space.
    /// </summary>
    public string SavedUnit { get; set; } = "1";

    /// <summary>Tells a keyed cache from the others in metrics and logs; none for the default one.</summary>
    internal string? Name { get; set; }

    /// <summary>What names a key in the index, from the seed of the store; null for <see cref="KeyHash"/>. For tests of keys whose names collide.</summary>
    internal Func<CacheKey, long, ulong>? HashOf { get; set; }

    /// <summary>A copy that the caller's later changes do not reach.</summary>
    internal DiskDistributedCacheOptions Snapshot() => (DiskDistributedCacheOptions)MemberwiseClone();

    DiskDistributedCacheOptions IOptions<DiskDistributedCacheOptions>.Value => this;
}
