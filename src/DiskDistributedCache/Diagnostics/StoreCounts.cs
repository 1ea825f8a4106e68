namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// What the store has done since the cache was created. It outlives the store, which may be opened late or begun anew, so that nothing
/// that is counted here ever goes back.
/// </summary>
internal sealed class StoreCounts
{
    // Callers read what the operating system has in memory, all at once; everything else happens on the lanes.
    private readonly StripedCounter _readBytes = new();
    private long _writtenBytes;
    private long _reclaimedSegments;
    private long _reclaimedEntries;
    private long _reinsertedBytes;

    /// <summary>Bytes read from the files of the log and of the superblock, whatever for.</summary>
    public long ReadBytes => _readBytes.Value;

    /// <summary>Bytes written to them.</summary>
    public long WrittenBytes => Volatile.Read(ref _writtenBytes);

    /// <summary>Segments that were erased or used again.</summary>
    public long ReclaimedSegments => Volatile.Read(ref _reclaimedSegments);

    /// <summary>Entries that the index still had in them.</summary>
    public long ReclaimedEntries => Volatile.Read(ref _reclaimedEntries);

    /// <summary>Bytes of records that were appended again, because they were read, or because their segment was damaged.</summary>
    public long ReinsertedBytes => Volatile.Read(ref _reinsertedBytes);

    public void Read(int bytes) => _readBytes.Add(bytes);

    public void Wrote(int bytes) => Interlocked.Add(ref _writtenBytes, bytes);

    public void Reclaimed(int entries)
    {
        Interlocked.Increment(ref _reclaimedSegments);
        Interlocked.Add(ref _reclaimedEntries, entries);
    }

    public void Reinserted(long bytes) => Interlocked.Add(ref _reinsertedBytes, bytes);
}
