using System.Diagnostics;
using System.Numerics;

namespace DiskDistributedCache.Benchmarks;

/// <summary>
/// How long very many operations took: counts in classes that are 1/64 wide, and the longest as it was. Any number of threads may add; the
/// figures are for afterwards.
/// </summary>
internal sealed class Latencies
{
    private const int ClassBits = 6;
    private const int Classes = (64 - ClassBits) << ClassBits;

    private readonly long[] _counts = new long[Classes];
    private long _longest;

    public long Count => _counts.Sum();

    /// <summary>The longest, in microseconds.</summary>
    public double Max => MicrosecondsOf(_longest);

    /// <param name="began">A time stamp of <see cref="Stopwatch"/>.</param>
    public void AddSince(long began)
    {
        long ticks = Math.Max(1, Stopwatch.GetTimestamp() - began);
        Interlocked.Increment(ref _counts[ClassOf(ticks)]);
        for (long longest = Volatile.Read(ref _longest); ticks > longest;)
        {
            longest = Interlocked.CompareExchange(ref _longest, ticks, longest);
        }
    }

    public void Clear()
    {
        Array.Clear(_counts);
        _longest = 0;
    }

    /// <summary>Microseconds that so many percent did not exceed, rounded up to the end of their class; not a number where there are none.</summary>
    public double Percentile(double percent)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(Count * percent / 100));
        for (int i = 0; i < Classes; i++)
        {
            rank -= _counts[i];
            if (rank <= 0)
            {
                return Math.Min(MicrosecondsOf(EndOf(i)), Max);
            }
        }

        return double.NaN;
    }

    /// <summary>The exponent, and behind it the bits that follow the leading one.</summary>
    private static int ClassOf(long ticks)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)ticks) - ClassBits);
        return (shift << ClassBits) + (int)(ticks >> shift);
    }

    private static long EndOf(int place)
    {
        int shift = Math.Max(0, (place >> ClassBits) - 1);
        return (place - ((long)shift << ClassBits) + 1) << shift;
    }

    private static double MicrosecondsOf(long ticks) => ticks * 1e6 / Stopwatch.Frequency;
}
