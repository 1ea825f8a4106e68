using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The mutations that wait for the log, in the order in which they came. Knows how many of them are owed (their callers have been let
/// go) and what the owed values weigh. Not for several threads: the write lane guards it.
/// </summary>
internal sealed class MutationQueue(Func<CacheEntry, long> weigh)
{
    private readonly Dictionary<CacheKey, Mutation> _removals = [];
    private Mutation? _head;
    private Mutation? _tail;
    private int _count;

    // Nothing before it is an owed value; null says nothing.
    private Mutation? _oldestOwedValue;

    /// <summary>May be read by anyone.</summary>
    public int Count => Volatile.Read(ref _count);

    public int OwedCount { get; private set; }

    public long OwedValueBytes { get; private set; }

    /// <summary>Mutations whose callers wait.</summary>
    public int AwaitedCount { get; private set; }

    /// <summary>A removal of the same key that already waits; it takes the newer number, and one record serves both.</summary>
    public Mutation? TryJoin(Mutation removal)
    {
        if (removal.Kind != RecordKind.Removal || !_removals.TryGetValue(removal.Key, out var waiting))
        {
            return null;
        }

        waiting.Sequence = Math.Max(waiting.Sequence, removal.Sequence);
        return waiting;
    }

    public void Append(Mutation mutation)
    {
        if (_tail is null)
        {
            _head = mutation;
        }
        else
        {
            _tail.Next = mutation;
        }

        _tail = mutation;
        Tally(mutation, 1);
        if (mutation.Kind == RecordKind.Removal)
        {
            _removals[mutation.Key] = mutation;
        }
    }

    /// <summary>Puts a batch back that could not be written, before everything else. It is owed.</summary>
    public void PutBack(List<Mutation> batch)
    {
        _oldestOwedValue = null;
        for (int i = batch.Count - 1; i >= 0; i--)
        {
            var mutation = batch[i];
            mutation.TrySetResult();
            mutation.Next = _head;
            _head = mutation;
            _tail ??= mutation;
            Tally(mutation, 1);
        }
    }

    /// <summary>Takes mutations from the front: as many as fit, and at least one.</summary>
    public void Take(List<Mutation> into, long maxBytes)
    {
        _oldestOwedValue = null;
        long bytes = 0;
        while (_head is { } mutation && (bytes == 0 || bytes + mutation.RecordBytes <= maxBytes))
        {
            bytes += mutation.RecordBytes;
            _head = mutation.Next;
            mutation.Next = null;
            Tally(mutation, -1);
            if (mutation.Kind == RecordKind.Removal && _removals.TryGetValue(mutation.Key, out var removal) && removal == mutation)
            {
                _removals.Remove(mutation.Key);
            }

            into.Add(mutation);
        }

        if (_head is null)
        {
            _tail = null;
        }
    }

    /// <summary>Lets the caller of a waiting mutation go. What it waited for is owed from here on.</summary>
    public void Acknowledge(Mutation mutation)
    {
        if (!mutation.IsAcknowledged)
        {
            Tally(mutation, -1);
            mutation.TrySetResult();
            Tally(mutation, 1);
            _oldestOwedValue = mutation == _tail ? _oldestOwedValue : null;
        }
    }

    /// <summary>Gives up the oldest owed values until at least this much weight is gone; their removals stay.</summary>
    public List<CacheEntry>? DropOldestValues(long weight)
    {
        List<CacheEntry>? dropped = null;
        for (var mutation = _oldestOwedValue ?? _head; mutation is not null && weight > 0; mutation = mutation.Next)
        {
            _oldestOwedValue = mutation;
            if (mutation is { IsAcknowledged: true, Kind: RecordKind.Value })
            {
                Tally(mutation, -1);
                var entry = mutation.DropValue();
                Tally(mutation, 1);
                weight -= weigh(entry);
                (dropped ??= []).Add(entry);
            }
        }

        return dropped;
    }

    public void ForEach(Action<Mutation> action)
    {
        for (var mutation = _head; mutation is not null; mutation = mutation.Next)
        {
            action(mutation);
        }
    }

    /// <summary>Forgets and acknowledges everything.</summary>
    public void Clear()
    {
        ForEach(mutation => mutation.TrySetResult());
        (_head, _tail, _oldestOwedValue) = (null, null, null);
        (OwedCount, OwedValueBytes, AwaitedCount) = (0, 0, 0);
        Volatile.Write(ref _count, 0);
        _removals.Clear();
    }

    private void Tally(Mutation mutation, int by)
    {
        Volatile.Write(ref _count, _count + by);
        if (!mutation.IsAcknowledged)
        {
            AwaitedCount += by;
            return;
        }

        OwedCount += by;
        if (mutation.Entry is { } entry)
        {
            OwedValueBytes += by * weigh(entry);
        }
    }
}
