using System.Buffers;
using DiskDistributedCache.Storage;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Benchmarks.HitRatios;

/// <summary>
/// A trace on its way through the whole cache, on a real disk, one caller that awaits: a lookup, and a set on a miss. The disk has
/// the size of the row for everything that it stores, headers and footers included, and memory has a tenth of it. What is written to the
/// disk is what the cache's own metric says.
/// </summary>
internal sealed class TierReplay(Trace trace, string directory, Action<FormattableString> progress)
{
    /// <summary>The smallest disk that the cache takes.</summary>
    public const long MinDiskBytes = 1 << 20;

    private const int RequestsPerProgress = 100_000;
    private const int MemoryPart = 10;

    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    /// <summary>Where the replay ends if the trace is longer.</summary>
    public int MaxRequests { get; init; } = int.MaxValue;

    /// <summary>Counts what is written, where that is wanted.</summary>
    public DiskCounts? Meters { get; init; }

    /// <summary>Everything that was written to the disk until the last request was answered.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>The records of the objects that were stored.</summary>
    public long RecordBytes { get; private set; }

    /// <summary>The objects that were stored.</summary>
    public long SetBytes { get; private set; }

    /// <summary>Bytes written to the disk, headers, footers and superblock included, for each byte of a value that was stored.</summary>
    public double WriteAmplification => SetBytes == 0 ? 0 : WrittenBytes / (double)SetBytes;

    public async Task<HitCount> RunAsync(CacheSize size, CancellationToken stopped)
    {
        long diskBytes = size.WeightOf(trace);
        var options = new DiskDistributedCacheOptions
        {
            Directory = directory,
            MaxDiskBytes = diskBytes,
            MaxMemoryBytes = diskBytes / MemoryPart,
        };
        await using var cache = await OurCache.OpenAsync(options, meters: Meters);
        var hits = await ReplayAsync(cache, size, stopped);
        Meters?.Look();
        WrittenBytes = Meters?.WrittenBytes ?? 0;
        var status = cache.GetStatus();
        OurCache.CheckIsNormal(cache, progress);
        progress($"{trace.Name} {size.Percent}: {status.MemoryHits} hits of memory, {status.DiskHits} of the disk, {status.Misses} misses");
        return hits;
    }

    private async Task<HitCount> ReplayAsync(DiskCache cache, CacheSize size, CancellationToken stopped)
    {
        var hits = new HitCount();
        var found = new ArrayBufferWriter<byte>();
        byte[] stored = new byte[Enumerable.Range(0, trace.KeyCount).Max(trace.SizeOf)];
        new Random(stored.Length).NextBytes(stored);
        for (int i = 0; i < Math.Min(trace.Requests.Count, MaxRequests); i++)
        {
            if (i % RequestsPerProgress == 0)
            {
                stopped.ThrowIfCancellationRequested();
                progress($"{trace.Name} {size.Percent}: request {i} of {trace.Requests.Count}");
            }

            int number = trace.Requests[i];
            int sizeBytes = trace.SizeOf(number);
            found.ResetWrittenCount();
            bool isHit = await cache.TryGetAsync(trace.KeyOf(number), found, stopped);
            hits.Count(isHit, sizeBytes);
            if (!isHit)
            {
                SetBytes += sizeBytes;
                RecordBytes += RecordFormat.LengthOf((2L * trace.KeyOf(number).Length) + sizeBytes);
                await cache.SetAsync(trace.KeyOf(number), new ReadOnlySequence<byte>(stored, 0, sizeBytes), s_noExpiry, stopped);
            }
            else if (!found.WrittenSpan.SequenceEqual(stored.AsSpan(0, sizeBytes)))
            {
                throw new InvalidDataException($"A read of '{trace.KeyOf(number)}' returned something else than what was stored.");
            }
        }

        return hits;
    }
}
