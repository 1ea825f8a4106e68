namespace DiskDistributedCache.Diagnostics;

/// <summary>
/// An exact counter that many threads may raise at once, with a second number beside the first for what is counted in two units. The
/// cells are a cache line apart, and both numbers of a thread lie in one line. Each of the threads with the lowest
/// ids has a cell of its own: no other living thread has its id, so it raises the cell without an interlocked operation, which
/// would make the reads of memory around it wait for each other. All other threads share the last cells.
/// </summary>
internal sealed class StripedCounter
{
    private const int OwnedCount = 128;
    private const int SharedCount = 16;
    private const int LongsPerLine = 8;
    private readonly long[] _cells = new long[(1 + OwnedCount + SharedCount) * LongsPerLine];

    public long Value => Sum(0);

    /// <summary>The sum of what was added besides.</summary>
    public long OtherValue => Sum(1);

    public void Increment() => Add(1);

    public void Add(long value, long other = 0)
    {
        int thread = Environment.CurrentManagedThreadId;
        if ((uint)thread < OwnedCount)
        {
            int at = (1 + thread) * LongsPerLine;
            ref long own = ref _cells[at];
            Volatile.Write(ref own, own + value);
            if (other != 0)
            {
                own = ref _cells[at + 1];
                Volatile.Write(ref own, own + other);
            }
        }
        else
        {
            AddShared((1 + OwnedCount + (thread & (SharedCount - 1))) * LongsPerLine, value, other);
        }
    }

    private void AddShared(int at, long value, long other)
    {
        Interlocked.Add(ref _cells[at], value);
        if (other != 0)
        {
            Interlocked.Add(ref _cells[at + 1], other);
        }
    }

    private long Sum(int number)
    {
        long sum = 0;
        for (int i = LongsPerLine; i < _cells.Length; i += LongsPerLine)
        {
            sum += Volatile.Read(ref _cells[i + number]);
        }

        return sum;
    }
}
