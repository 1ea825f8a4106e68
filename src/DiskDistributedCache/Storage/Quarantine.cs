using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// Keeps the bytes of records that did not verify, for people to look at: bounded in bytes and in files, the oldest go first. The
/// cache never reads them back. Trouble here is swallowed: whoever met the corrupt record has an answer to give, and it does not
/// depend on this.
/// </summary>
internal sealed class Quarantine(CacheDirectory directory, CacheClock clock, long maxBytes)
{
    public const int MaxFiles = 1024;

    private readonly Lock _lock = new();
    private long _lastTicks;
    private long _keptCount;
    private long _corruptCount;

    /// <summary>Records whose bytes were kept since the cache was created.</summary>
    public long KeptCount => Volatile.Read(ref _keptCount);

    /// <summary>Records that did not verify since the cache was created.</summary>
    public long CorruptCount => Volatile.Read(ref _corruptCount);

    public void Keep(long segment, ReadOnlySpan<byte> bytes)
    {
        Interlocked.Increment(ref _corruptCount);
        if (maxBytes == 0)
        {
            return;
        }

        lock (_lock)
        {
            try
            {
                bytes = bytes[..(int)Math.Min(bytes.Length, maxBytes)];
                MakeRoom(bytes.Length);
                _lastTicks = Math.Max(_lastTicks + 1, clock.NowTicks);
                using var file = directory.Open(directory.QuarantineFile(segment, _lastTicks), FileMode.Create);
                file.Write(bytes, 0);
                Interlocked.Increment(ref _keptCount);
            }
            catch (Exception)
            {
                // See above: nobody's answer depends on the quarantine.
            }
        }
    }

    public void Empty()
    {
        lock (_lock)
        {
            foreach (var file in directory.FilesIn(directory.Quarantine))
            {
                file.Delete();
            }
        }
    }

    private void MakeRoom(long bytes)
    {
        var kept = directory.FilesIn(directory.Quarantine).OrderBy(file => file.LastWriteTimeUtc).ThenBy(file => file.Name, StringComparer.Ordinal).ToList();
        long total = kept.Sum(file => file.Length);
        for (int i = 0; i < kept.Count && (total + bytes > maxBytes || kept.Count - i >= MaxFiles); i++)
        {
            total -= kept[i].Length;
            kept[i].Delete();
        }
    }
}
