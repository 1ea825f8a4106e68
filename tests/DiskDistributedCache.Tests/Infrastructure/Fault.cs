namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>What can be done to a file or a folder.</summary>
internal enum FileOperation
{
    Open,
    Read,
    Write,
    SetLength,
    Flush,
    Move,
    Delete,
    CreateDirectory,
    DeleteDirectory,
    List,
}

/// <summary>One call. The path of a move is the new one; the bytes of an open are those that are preallocated.</summary>
internal sealed record FileCall(FileOperation Operation, string Path, int Bytes, long Offset = 0)
{
    public bool IsA(FileOperation operation, string pathPart) =>
        Operation == operation && Path.Contains(pathPart, StringComparison.Ordinal);
}

/// <summary>What happens to some calls; planned by <see cref="FaultyFileSystem"/>.</summary>
internal sealed class Fault(FileOperation operation, string pathPart, int skip, int times)
{
    private int _seenCount;
    private volatile bool _isHealed;

    /// <summary>Runs before the call is done; may throw or block.</summary>
    public Action<FileCall>? Before { get; init; }

    /// <summary>Of a write: what is written instead.</summary>
    public Func<byte[], byte[]>? Alter { get; init; }

    /// <summary>Of a read: runs when the bytes are there; may block.</summary>
    public Action? Done { get; init; }

    /// <summary>Of a write: thrown when it has been done.</summary>
    public Func<Exception>? After { get; init; }

    public Action? Healed { get; init; }

    /// <summary>How many calls it has struck.</summary>
    public int StruckCount { get; private set; }

    public bool Strikes(FileCall call)
    {
        if (_isHealed || !call.IsA(operation, pathPart))
        {
            return false;
        }

        long seen = Interlocked.Increment(ref _seenCount);
        bool strikes = seen > skip && seen <= (long)skip + times;
        StruckCount += strikes ? 1 : 0;
        return strikes;
    }

    /// <summary>From now on it strikes no more.</summary>
    public void Heal()
    {
        _isHealed = true;
        Healed?.Invoke();
    }
}

/// <summary>Where calls hang until it is opened. It stays open.</summary>
internal sealed class Gate
{
    private readonly object _lock = new();
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isOpen;

    /// <summary>Completes when the first call hangs.</summary>
    public Task Reached => _reached.Task;

    public void Open()
    {
        lock (_lock)
        {
            _isOpen = true;
            Monitor.PulseAll(_lock);
        }
    }

    public void Pass()
    {
        _reached.TrySetResult();
        lock (_lock)
        {
            while (!_isOpen)
            {
                Monitor.Wait(_lock);
            }
        }
    }
}
