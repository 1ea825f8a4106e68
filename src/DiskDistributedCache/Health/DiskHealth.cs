using DiskDistributedCache.Diagnostics;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Health;

/// <summary>
/// The one authority on what the cache does with its disk. Every change of mode is in this class.
///
/// Starting -> Normal when the store is open, or MemoryOnly when it cannot be opened. Normal -> BreakerOpen while the circuit
/// breaker keeps operations away, and back. Normal, BreakerOpen -> MemoryOnly when the disk is given up: too many errors since the
/// last healthy probe, or one that no retry can help. MemoryOnly -> Recovering -> Normal, or back. Everything -> Closed.
///
/// Concurrency: the state is one object that is replaced as a whole; readers take no lock. Changes exclude each other, and whoever
/// listens is told in order, under the lock of the changes: listeners must not wait for anything that waits for a change.
/// </summary>
internal sealed class DiskHealth(TimeProvider timeProvider, int memoryOnlyThreshold, ILogger logger)
{
    private readonly Lock _lock = new();
    private State _state = new(DiskCacheMode.Starting, timeProvider.GetUtcNow());

    // Guarded by _lock.
    private int _errorCount;
    private int _errorCountAtProbe;

    // What the mode was before the recovery that is under way.
    private State? _givenUp;

    /// <summary>Told of each change: the old mode and the new one.</summary>
    public event Action<DiskCacheMode, DiskCacheMode>? Changed;

    public DiskCacheMode Mode => Volatile.Read(ref _state).Mode;

    public State Current => Volatile.Read(ref _state);

    /// <summary>The store is open. What failed on the way does not count any more.</summary>
    public void Opened()
    {
        ForgetErrors();
        Change(DiskCacheMode.Normal, reason: null);
    }

    /// <summary>The store cannot be opened. Why may be another reason with each try: the last one counts.</summary>
    public void Unavailable(string reason)
    {
        lock (_lock)
        {
            if (!Change(DiskCacheMode.MemoryOnly, reason) && _state.Mode == DiskCacheMode.MemoryOnly)
            {
                Volatile.Write(ref _state, _state with { Reason = reason, LastFault = reason });
            }
        }
    }

    /// <summary>The circuit breaker keeps operations away from the disk.</summary>
    public void BreakerOpened(string? reason)
    {
        if (Change(DiskCacheMode.BreakerOpen, reason, DiskCacheMode.Normal))
        {
            Log.BreakerOpened(logger, reason);
        }
    }

    /// <summary>The circuit breaker lets operations through again.</summary>
    public void BreakerClosed()
    {
        if (Change(DiskCacheMode.Normal, reason: null, DiskCacheMode.BreakerOpen))
        {
            Log.BreakerClosed(logger);
        }
    }

    /// <summary>An operation on the disk failed. The mode changes when that was one too many, or when no retry can help.</summary>
    public void Failed(string fault, bool isHard)
    {
        bool isTooMany;
        lock (_lock)
        {
            Volatile.Write(ref _state, _state with { LastFault = fault });
            isTooMany = ++_errorCount > memoryOnlyThreshold;
        }

        if (isHard || isTooMany)
        {
            GiveUp(isHard ? fault : $"More than {memoryOnlyThreshold} operations failed since the disk was last found healthy; the last one: {fault}");
        }
    }

    /// <summary>The disk is not used any more until it has been recovered.</summary>
    public void GiveUp(string reason)
    {
        if (Change(DiskCacheMode.MemoryOnly, reason, DiskCacheMode.Normal, DiskCacheMode.BreakerOpen))
        {
            Log.DiskGivenUp(logger, reason);
        }
    }

    /// <summary>A recovery begins, if the disk is given up.</summary>
    public bool TryBeginRecovery()
    {
        lock (_lock)
        {
            var givenUp = _state;
            if (!Change(DiskCacheMode.Recovering, givenUp.Reason, DiskCacheMode.MemoryOnly))
            {
                return false;
            }

            _givenUp = givenUp;
            Volatile.Write(ref _state, _state with { LastFault = givenUp.LastFault });
        }

        Log.RecoveryBegan(logger);
        return true;
    }

    /// <summary>The recovery did not succeed; the next one may.</summary>
    public void RecoveryFailed(string fault)
    {
        lock (_lock)
        {
            // Still the same outage: since when and why stays.
            var givenUp = _givenUp ?? _state;
            if (!Change(DiskCacheMode.MemoryOnly, givenUp.Reason, DiskCacheMode.Recovering))
            {
                return;
            }

            Volatile.Write(ref _state, _state with { Since = givenUp.Since, LastFault = fault });
        }

        Log.RecoveryFailed(logger, fault);
    }

    /// <summary>The disk has everything again that it has to have.</summary>
    public void Recovered()
    {
        ForgetErrors();
        if (Change(DiskCacheMode.Normal, reason: null, DiskCacheMode.Recovering))
        {
            Log.Recovered(logger);
        }
    }

    /// <summary>
    /// The disk was probed. Errors are forgotten only if nothing else has failed since the probe before: a probe may succeed on a disk
    /// on which real entries fail.
    /// </summary>
    public void Probed(DiskHealthState found)
    {
        DiskHealthState before;
        lock (_lock)
        {
            before = _state.Probe;
            if (found == DiskHealthState.Healthy && _errorCount == _errorCountAtProbe)
            {
                _errorCount = 0;
            }

            _errorCountAtProbe = _errorCount;
            Volatile.Write(ref _state, _state with { Probe = found });
        }

        if (found != before)
        {
            Log.ProbeChanged(logger, found == DiskHealthState.Healthy ? LogLevel.Information : LogLevel.Warning, before, found);
        }
    }

    /// <summary>The cache was disposed of.</summary>
    public void Closed() => Change(DiskCacheMode.Closed, reason: null);

    private void ForgetErrors()
    {
        lock (_lock)
        {
            (_errorCount, _errorCountAtProbe) = (0, 0);
        }
    }

    /// <summary>Changes the mode, if it is one of those given; if none is given, whatever it is.</summary>
    private bool Change(DiskCacheMode mode, string? reason, params ReadOnlySpan<DiskCacheMode> from)
    {
        lock (_lock)
        {
            var before = _state.Mode;
            if (before == mode || before == DiskCacheMode.Closed || (from.Length > 0 && !from.Contains(before)))
            {
                return false;
            }

            Volatile.Write(
                ref _state,
                _state with { Mode = mode, Since = timeProvider.GetUtcNow(), Reason = reason, LastFault = reason ?? _state.LastFault });
            Changed?.Invoke(before, mode);
            return true;
        }
    }

    /// <summary>What is known of the disk at one moment.</summary>
    internal sealed record State(DiskCacheMode Mode, DateTimeOffset Since)
    {
        public string? Reason { get; init; }

        public string? LastFault { get; init; }

        public DiskHealthState Probe { get; init; }
    }
}
