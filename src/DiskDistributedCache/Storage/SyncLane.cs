namespace DiskDistributedCache.Storage;

/// <summary>
/// The thread that makes segments durable. No caller waits for it, and a sync may take its time: each sealed segment once, through the
/// handle that wrote it, and everything before a store to which the disk had refused something is trusted again.
/// </summary>
internal sealed class SyncLane
{
    private readonly object _lock = new();
    private readonly Queue<Action> _jobs = new();
    private readonly Action _ended;
    private readonly Thread _thread;
    private bool _isStopping;

    /// <param name="ended">Told when the last sync has returned and none follows.</param>
    public SyncLane(Action ended)
    {
        _ended = ended;
        _thread = new Thread(Run) { IsBackground = true, Name = "DiskDistributedCache sync" };
    }

    /// <summary>Without what flows with the caller: the lane outlives the request in which it was started.</summary>
    public void Start() => _thread.UnsafeStart();

    /// <summary>Runs a job, which does not throw, after those before it.</summary>
    public void Post(Action job)
    {
        lock (_lock)
        {
            _jobs.Enqueue(job);
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>Ends the thread, and waits for that as long as the grace time. What has not begun is left to whoever closes the store.</summary>
    public void Stop(TimeSpan grace)
    {
        lock (_lock)
        {
            _isStopping = true;
            Monitor.Pulse(_lock);
        }

        if (_thread.IsAlive)
        {
            _thread.Join(grace);
        }
    }

    private void Run()
    {
        while (Next() is { } job)
        {
            TryRun(job);
        }

        _ended();
    }

    private static void TryRun(Action job)
    {
        try
        {
            job();
        }
        catch (Exception)
        {
            // Jobs handle their own trouble. What still gets here must not end the process.
        }
    }

    private Action? Next()
    {
        lock (_lock)
        {
            while (_jobs.Count == 0 && !_isStopping)
            {
                Monitor.Wait(_lock);
            }

            return _isStopping ? null : _jobs.Dequeue();
        }
    }
}
