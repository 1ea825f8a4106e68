namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// An exact counter that many threads may raise at once. The cells are a cache line apart. Each of the threads with the lowest
/// ids has a cell of its own: no other living thread has its id, so it raises the cell without an interlocked operation, which
/// would make the reads of memory around it wait for each other. All other threads share the last cells.
/// </summary>
internal sealed class StripedCounter
{
    private const int OwnedCount = 128;
    private const int SharedCount = 16;
    private const int LongsPerLine = 8;
    private readonly long[] _cells = new long[(1 + OwnedCount + SharedCount) * LongsPerLine];

    public long Value
    {
        get
        {
            long sum = 0;
            for (int i = LongsPerLine; i < _cells.Length; i += LongsPerLine)
            {
                sum += Volatile.Read(ref _cells[i]);
            }

            return sum;
        }
    }

    public void Increment()
    {
        int thread = Environment.CurrentManagedThreadId;
        if ((uint)thread < OwnedCount)
        {
            ref long own = ref _cells[(1 + thread) * LongsPerLine];
            Volatile.Write(ref own, own + 1);
        }
        else
        {
            Interlocked.Increment(ref _cells[(1 + OwnedCount + (thread & (SharedCount - 1))) * LongsPerLine]);
        }
    }
}
