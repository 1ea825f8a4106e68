using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Diagnostics;

/// <summary>Every log event of the cache. The ids are stable. Never a key, a tag or a value.</summary>
internal static partial class Log
{
    /// <summary>The category of all events of the default cache.</summary>
    public const string Category = "DiskDistributedCache";

    /// <summary>The category of a cache by its name, so that the levels of one can be set apart: that of the default cache begins all others.</summary>
    public static string CategoryOf(string? name) => name is null ? Category : $"{Category}.{name}";

    [LoggerMessage(1, LogLevel.Information,
        "The store in '{Directory}' is open with {Entries} entries ({Trust}; {Holes} holes, {Scanned} segments without a footer).")]
    public static partial void StoreOpened(ILogger logger, string directory, int entries, string trust, int holes, int scanned);

    [LoggerMessage(2, LogLevel.Information, "A new, empty store was begun in '{Directory}': {Reason}.")]
    public static partial void StoreBegun(ILogger logger, string directory, string reason);

    [LoggerMessage(3, LogLevel.Critical, "The store in '{Directory}' cannot be opened; the cache works from memory until it can (fault {Fault}).")]
    public static partial void StoreUnavailable(ILogger logger, Exception exception, string directory, string fault);

    [LoggerMessage(4, LogLevel.Information, "The store is closed clean.")]
    public static partial void StoreClosed(ILogger logger);

    [LoggerMessage(5, LogLevel.Error, "The store could not be closed clean (fault {Fault}).")]
    public static partial void CloseFailed(ILogger logger, Exception exception, string fault);

    [LoggerMessage(6, LogLevel.Error, "A write to the store failed; what it was to write is owed (fault {Fault}).")]
    public static partial void WriteFailed(ILogger logger, Exception exception, string fault);

    [LoggerMessage(7, LogLevel.Error, "A read from the store failed (fault {Fault}).")]
    public static partial void ReadFailed(ILogger logger, Exception exception, string fault);

    [LoggerMessage(8, LogLevel.Warning, "What is in segment {Segment} at offset {Offset} did not verify ({Reason}) and was dropped.")]
    public static partial void RecordCorrupt(ILogger logger, QuarantineReason reason, long segment, long offset);

    [LoggerMessage(9, LogLevel.Warning,
        "A value of {Bytes} bytes is too large (MaxEntryBytes is {Limit}, and a record takes at most half of MaxDiskBytes) and was not stored. Further ones are counted, not logged.")]
    public static partial void EntryOversized(ILogger logger, long bytes, long limit);

    [LoggerMessage(10, LogLevel.Error, "A heartbeat could not be written (fault {Fault}).")]
    public static partial void HeartbeatFailed(ILogger logger, Exception exception, string fault);

    [LoggerMessage(11, LogLevel.Warning, "More mutations are owed than can be kept ({Count}); the content of the disk is given up instead.")]
    public static partial void OwedOverflow(ILogger logger, int count);

    [LoggerMessage(12, LogLevel.Critical, "The disk is given up and the cache works from memory until it has been recovered: {Reason}")]
    public static partial void DiskGivenUp(ILogger logger, string reason);

    [LoggerMessage(13, LogLevel.Error, "The circuit breaker has opened; the cache works from memory for the time of the break: {Reason}")]
    public static partial void BreakerOpened(ILogger logger, string? reason);

    [LoggerMessage(14, LogLevel.Information, "The circuit breaker has closed; both tiers are in use.")]
    public static partial void BreakerClosed(ILogger logger);

    [LoggerMessage(15, LogLevel.Information, "Recovery of the disk begins.")]
    public static partial void RecoveryBegan(ILogger logger);

    [LoggerMessage(16, LogLevel.Warning, "The disk could not be recovered and will be tried again: {Reason}")]
    public static partial void RecoveryFailed(ILogger logger, string reason);

    [LoggerMessage(17, LogLevel.Information, "The disk is recovered; both tiers are in use.")]
    public static partial void Recovered(ILogger logger);

    [LoggerMessage(EventId = 18, Message = "The probe of the disk has a new result; it was {Before} and is {After}.")]
    public static partial void ProbeChanged(ILogger logger, LogLevel level, DiskHealthState before, DiskHealthState after);

    [LoggerMessage(19, LogLevel.Error, "An operation on the store failed: {Operation} (fault {Fault}).")]
    public static partial void OperationFailed(ILogger logger, Exception exception, string operation, string fault);

    [LoggerMessage(20, LogLevel.Error, "The disk has not answered {Operation} in time (fault {Fault}).")]
    public static partial void OperationStalled(ILogger logger, string operation, string fault);

    [LoggerMessage(21, LogLevel.Warning, "The disk has no room for what is to be written; it is owed until there is.")]
    public static partial void DiskFull(ILogger logger);

    [LoggerMessage(22, LogLevel.Warning, "What is kept outside the cache's file system could not be written; a killed process will be followed by an empty cache.")]
    public static partial void WitnessFailed(ILogger logger, Exception exception);

    [LoggerMessage(23, LogLevel.Warning, "The content of the disk was given up and a new, empty store begun in '{Directory}'.")]
    public static partial void StartedOver(ILogger logger, string directory);

    [LoggerMessage(24, LogLevel.Information, "Everything that was owed is on disk; the store may be trusted again after a crash.")]
    public static partial void Trusted(ILogger logger);

    [LoggerMessage(25, LogLevel.Warning, "The store owes mutations; if the process ends before they are written, it is followed by an empty cache.")]
    public static partial void Suspect(ILogger logger);

    [LoggerMessage(26, LogLevel.Warning, "SavedPerHit failed; what such hits save counts as 0. Further failures are not logged.")]
    public static partial void SavedPerHitFailed(ILogger logger, Exception exception);

    [LoggerMessage(27, LogLevel.Warning, "What did not verify could not be kept in quarantine. Further failures are counted, not logged.")]
    public static partial void QuarantineFailed(ILogger logger);

    [LoggerMessage(28, LogLevel.Warning,
        "{Segments} segments that were damaged or could not be synced were retired; what is alive in them was appended again.")]
    public static partial void SegmentsRetired(ILogger logger, int segments);

    [LoggerMessage(29, LogLevel.Error,
        "The cache was disposed of while its disk did not answer. The store is not closed, and its lock is held until the disk does.")]
    public static partial void ClosedWithoutDisk(ILogger logger);

    [LoggerMessage(30, LogLevel.Information, "The disk has room again.")]
    public static partial void DiskHasRoom(ILogger logger);

    [LoggerMessage(31, LogLevel.Warning, "A value that must not be lost could not be kept; everything is cleared, so that nothing outlives what it invalidated.")]
    public static partial void RetainedLost(ILogger logger);

    [LoggerMessage(32, LogLevel.Error,
        "Values cannot be encrypted or decrypted. They are not written to disk, and those on disk are misses, until they can; memory serves.")]
    public static partial void KeysUnavailable(ILogger logger, Exception exception);

    [LoggerMessage(33, LogLevel.Information, "Values can be encrypted and decrypted again.")]
    public static partial void KeysAvailable(ILogger logger);

    [LoggerMessage(34, LogLevel.Warning,
        "More than {Count} evicted tags have to be remembered. Everything that was stored before the older half of the evictions is cleared.")]
    public static partial void EvictionsMerged(ILogger logger, int count);
}
