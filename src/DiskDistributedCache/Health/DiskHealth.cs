namespace DiskDistributedCache.Health;

/// <summary>
/// The one authority on what the cache does with its disk. Every change of mode is in this class.
///
/// Concurrency: the state is one object that is replaced as a whole; readers take no lock.
/// </summary>
internal sealed class DiskHealth(TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private State _state = new(DiskCacheMode.Starting, timeProvider.GetUtcNow(), null);

    public DiskCacheMode Mode => Volatile.Read(ref _state).Mode;

    public State Current => Volatile.Read(ref _state);

    /// <summary>The store is open.</summary>
    public void Opened() => Change(DiskCacheMode.Normal, fault: null);

    /// <summary>The store cannot be opened. Returns whether that is news.</summary>
    public bool Unavailable(Exception fault) => Change(DiskCacheMode.MemoryOnly, Describe(fault));

    /// <summary>The cache was disposed of.</summary>
    public void Closed() => Change(DiskCacheMode.Closed, fault: null);

    /// <summary>A disk operation failed. The mode stays as it is.</summary>
    public void Failed(Exception fault) => Failed(Describe(fault));

    public void Failed(string fault)
    {
        lock (_lock)
        {
            Volatile.Write(ref _state, _state with { LastFault = fault });
        }
    }

    private bool Change(DiskCacheMode mode, string? fault)
    {
        lock (_lock)
        {
            if (_state.Mode == mode || _state.Mode == DiskCacheMode.Closed)
            {
                return false;
            }

            Volatile.Write(ref _state, new State(mode, timeProvider.GetUtcNow(), fault ?? _state.LastFault));
            return true;
        }
    }

    private static string Describe(Exception fault) => $"{fault.GetType().Name}: {fault.Message}";

    internal sealed record State(DiskCacheMode Mode, DateTimeOffset Since, string? LastFault)
    {
        public string? Reason { get; init; }

        public DiskHealthState Probe { get; init; }
    }
}
