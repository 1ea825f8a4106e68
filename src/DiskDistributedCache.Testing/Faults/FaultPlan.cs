using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace DiskDistributedCache.Testing;

/// <summary>The faults that are planned, and the calls that were made. Everything may be called at any time from any thread.</summary>
internal sealed class FaultPlan
{
    private readonly ConcurrentQueue<FileCall> _calls = new();
    private ImmutableList<Fault> _faults = [];
    private long _callCount;

    public volatile bool KeepsCalls = true;

    public long CallCount => Volatile.Read(ref _callCount);

    public IReadOnlyList<FileCall> Calls => [.. _calls];

    public int Count(FileOperation operation, string pathPart) => _calls.Count(call => call.IsA(operation, pathPart));

    public void ForgetCalls() => _calls.Clear();

    public Fault Add(Fault fault)
    {
        ImmutableInterlocked.Update(ref _faults, faults => faults.RemoveAll(other => other.IsHealed).Add(fault));
        return fault;
    }

    public void Heal()
    {
        foreach (var fault in _faults)
        {
            fault.Heal();
        }
    }

    /// <summary>Notes a call and does to it what comes before it is done; that may throw or block.</summary>
    public Strikes Begin(FileOperation operation, string path, int bytes = 0, long offset = 0)
    {
        var call = new FileCall(Interlocked.Increment(ref _callCount), operation, path, bytes, offset);
        if (KeepsCalls)
        {
            _calls.Enqueue(call);
        }

        // First all of them count the call: one that throws must not hide it from the next.
        Fault[] striking = [.. _faults.Where(fault => fault.Strikes(call))];
        foreach (var fault in striking)
        {
            fault.Before?.Invoke(call);
        }

        return new Strikes(call, striking);
    }
}

/// <summary>What is still to be done to a call that has begun.</summary>
internal readonly struct Strikes(FileCall call, Fault[] faults)
{
    public bool AreDropping => Array.Exists(faults, fault => fault.Drops);

    public ReadOnlySpan<byte> Alter(ReadOnlySpan<byte> written)
    {
        foreach (var fault in faults)
        {
            written = fault.AlterWrite is { } alter ? alter(written.ToArray()) : written;
        }

        return written;
    }

    public void EndWrite()
    {
        if (Array.Find(faults, fault => fault.AfterWrite is not null) is { } failing)
        {
            throw failing.AfterWrite!(call);
        }
    }

    public int EndRead(Span<byte> to, int readBytes)
    {
        foreach (var fault in faults)
        {
            if (fault.AlterRead is { } alter)
            {
                byte[] altered = alter(to[..readBytes].ToArray());
                readBytes = Math.Min(altered.Length, to.Length);
                altered.AsSpan(0, readBytes).CopyTo(to);
            }

            fault.AfterRead?.Invoke();
        }

        return readBytes;
    }
}
