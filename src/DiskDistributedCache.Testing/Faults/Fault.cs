namespace DiskDistributedCache.Testing;

/// <summary>
/// What happens to some calls. It is planned with a method of <see cref="FaultInjectingFileSystem"/>, leaves the first calls that
/// match alone, strikes the next ones, and strikes no more when it is healed.
/// </summary>
public sealed class Fault
{
    private readonly FileOperation _operation;
    private readonly string _pathPart;
    private readonly int _skip;
    private readonly int _times;
    private long _seenCount;
    private int _struckCount;
    private volatile bool _isHealed;

    internal Fault(FileOperation operation, string pathPart, int skip, int times)
    {
        ArgumentNullException.ThrowIfNull(pathPart);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        ArgumentOutOfRangeException.ThrowIfNegative(times);
        _operation = operation;
        _pathPart = pathPart;
        _skip = skip;
        _times = times;
    }

    /// <summary>How many calls it has struck.</summary>
    public int StruckCount => Volatile.Read(ref _struckCount);

    /// <summary>Whether it has been healed.</summary>
    public bool IsHealed => _isHealed;

    /// <summary>Runs before the call is done; may throw or block.</summary>
    internal Action<FileCall>? Before { get; init; }

    /// <summary>The call is not done, and nobody is told.</summary>
    internal bool Drops { get; init; }

    /// <summary>Of a write: what is written instead.</summary>
    internal Func<byte[], byte[]>? AlterWrite { get; init; }

    /// <summary>Of a write: thrown when it has been done.</summary>
    internal Func<FileCall, Exception>? AfterWrite { get; init; }

    /// <summary>Of a read: what was read instead; may be less.</summary>
    internal Func<byte[], byte[]>? AlterRead { get; init; }

    /// <summary>Of a read: runs when the bytes are there; may block.</summary>
    internal Action? AfterRead { get; init; }

    internal Action? Healed { get; init; }

    /// <summary>From now on it strikes no more; what hangs in its gate goes on.</summary>
    public void Heal()
    {
        _isHealed = true;
        Healed?.Invoke();
    }

    internal bool Strikes(FileCall call)
    {
        if (_isHealed || !call.IsA(_operation, _pathPart))
        {
            return false;
        }

        long seen = Interlocked.Increment(ref _seenCount);
        bool strikes = seen > _skip && seen <= (long)_skip + _times;
        if (strikes)
        {
            Interlocked.Increment(ref _struckCount);
        }

        return strikes;
    }
}
