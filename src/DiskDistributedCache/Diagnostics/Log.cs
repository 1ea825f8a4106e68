using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Diagnostics;

/// <summary>Every log event of the cache. The ids are stable. Never a key, a tag or a value.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information,
        "The store in '{Directory}' is open with {Entries} entries ({Trust}; {Holes} holes, {Scanned} segments without a footer).")]
    public static partial void StoreOpened(ILogger logger, string directory, int entries, string trust, int holes, int scanned);

    [LoggerMessage(2, LogLevel.Information, "A new, empty store was begun in '{Directory}': {Reason}.")]
    public static partial void StoreBegun(ILogger logger, string directory, string reason);

    [LoggerMessage(3, LogLevel.Critical, "The store in '{Directory}' cannot be opened; the cache works from memory until it can.")]
    public static partial void StoreUnavailable(ILogger logger, Exception exception, string directory);

    [LoggerMessage(4, LogLevel.Information, "The store is closed clean.")]
    public static partial void StoreClosed(ILogger logger);

    [LoggerMessage(5, LogLevel.Error, "The store could not be closed clean.")]
    public static partial void CloseFailed(ILogger logger, Exception exception);

    [LoggerMessage(6, LogLevel.Error, "A write to the store failed; what it was to write is owed.")]
    public static partial void WriteFailed(ILogger logger, Exception exception);

    [LoggerMessage(7, LogLevel.Error, "A read from the store failed.")]
    public static partial void ReadFailed(ILogger logger, Exception exception);

    [LoggerMessage(8, LogLevel.Warning, "What is in segment {Segment} at offset {Offset} did not verify ({Reason}) and was dropped.")]
    public static partial void RecordCorrupt(ILogger logger, QuarantineReason reason, long segment, long offset);

    [LoggerMessage(9, LogLevel.Warning,
        "A value of {Bytes} bytes is too large (MaxEntryBytes is {Limit}, and a record takes at most half of MaxDiskBytes) and was not stored. Further ones are counted, not logged.")]
    public static partial void EntryOversized(ILogger logger, long bytes, long limit);

    [LoggerMessage(10, LogLevel.Error, "A heartbeat could not be written.")]
    public static partial void HeartbeatFailed(ILogger logger, Exception exception);

    [LoggerMessage(11, LogLevel.Warning, "More mutations are owed than can be kept ({Count}); the content of the disk is given up instead.")]
    public static partial void OwedOverflow(ILogger logger, int count);
}
