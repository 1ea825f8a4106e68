namespace DiskDistributedCache.Testing;

/// <summary>Where calls hang until it is opened, as they do on a disk that does not answer. It stays open.</summary>
public sealed class Gate
{
    private readonly object _lock = new();
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guarded by _lock.
    private bool _isOpen;
    private int _heldCount;

    internal Gate()
    {
    }

    /// <summary>Completes when the first call hangs.</summary>
    public Task Reached => _reached.Task;

    /// <summary>How many calls hang here at this moment.</summary>
    public int HeldCount
    {
        get
        {
            lock (_lock)
            {
                return _heldCount;
            }
        }
    }

    /// <summary>Lets every call go, those that hang and those that will come.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _isOpen = true;
            Monitor.PulseAll(_lock);
        }
    }

    internal void Pass()
    {
        lock (_lock)
        {
            _heldCount++;
            _reached.TrySetResult();
            while (!_isOpen)
            {
                Monitor.Wait(_lock);
            }

            _heldCount--;
        }
    }
}
