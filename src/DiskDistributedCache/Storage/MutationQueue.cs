using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// The mutations that wait for the log, in the order in which they came. Knows how many of them are owed (their callers have been let
/// go) and what the owed values weigh. Not for several threads: the write lane guards it.
///
/// A removal joins one of the same key that waits already. While nobody waits for the disk, a newer change of a key takes the
/// place of an older one that is owed, and an eviction that of one of the same tag, so that what is owed grows with the keys and tags
/// and not with the calls. Numbers decide what is newer, and each change is looked at again when it is written, so places in the queue matter
/// for one thing only: the oldest owed values are those that are given up. So a change that was taken over goes to the end, and who has
/// to be given up is found without going through the many removals that values before have left.
/// </summary>
internal sealed class MutationQueue(Func<CacheEntry, long> weigh)
{
    // The removal, or the owed change, of a key that a newer one may join.
    private readonly Dictionary<CacheKey, Mutation> _joinable = [];
    private readonly Dictionary<string, Mutation> _joinableEvictions = new(StringComparer.Ordinal);
    private int _owedCount;
    private Mutation? _head;
    private Mutation? _tail;
    private int _count;

    // Nothing before it is an owed value; null says nothing.
    private Mutation? _oldestOwedValue;

    /// <summary>May be read by anyone.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>May be read by anyone.</summary>
    public int OwedCount => Volatile.Read(ref _owedCount);

    public long OwedValueBytes { get; private set; }

    /// <summary>Mutations whose callers wait.</summary>
    public int AwaitedCount { get; private set; }

    /// <summary>Of those the one that has waited for longest.</summary>
    public Mutation? FirstAwaited
    {
        get
        {
            var mutation = AwaitedCount > 0 ? _head : null;
            while (mutation is { IsOwed: true })
            {
                mutation = mutation.Next;
            }

            return mutation;
        }
    }

    /// <summary>
    /// A change of the same key that already waits and now stands for this one too; one record serves both. Null where there is
    /// none.
    /// </summary>
    public Mutation? TryJoin(Mutation mutation, bool isOwing)
    {
        if (mutation.Kind == RecordKind.TagEviction)
        {
            return isOwing ? JoinEviction(mutation) : null;
        }

        if (!IsOfKey(mutation) || !_joinable.TryGetValue(mutation.Key, out var waiting))
        {
            return null;
        }

        if (mutation.Kind == RecordKind.Removal && waiting.Kind == RecordKind.Removal)
        {
            waiting.Sequence = Math.Max(waiting.Sequence, mutation.Sequence);
            return waiting;
        }

        if (!isOwing || !waiting.IsOwed)
        {
            return null;
        }

        Tally(waiting, -1);
        waiting.TakeOver(mutation);
        Tally(waiting, 1);
        MoveToEnd(waiting);
        return waiting;
    }

    public void Append(Mutation mutation)
    {
        LinkAtEnd(mutation);
        Enter(mutation);
        if (mutation.Kind == RecordKind.Removal)
        {
            _joinable[mutation.Key] = mutation;
        }
    }

    /// <summary>Puts a batch back that could not be written, before everything else.</summary>
    public void PutBack(List<Mutation> batch)
    {
        _oldestOwedValue = null;
        for (int i = batch.Count - 1; i >= 0; i--)
        {
            var mutation = batch[i];
            mutation.Next = _head;
            _head?.Previous = mutation;
            _head = mutation;
            _tail ??= mutation;
            Enter(mutation);
        }
    }

    /// <summary>Takes mutations from the front: as many as fit, and at least one. Returns their bytes.</summary>
    public long Take(List<Mutation> into, long maxBytes)
    {
        _oldestOwedValue = null;
        long bytes = 0;
        while (_head is { } mutation && (bytes == 0 || bytes + mutation.RecordBytes <= maxBytes))
        {
            bytes += mutation.RecordBytes;
            Unlink(mutation);
            Tally(mutation, -1);
            mutation.IsQueued = false;
            LetNobodyJoin(mutation);

            into.Add(mutation);
        }

        return bytes;
    }

    /// <summary>The caller of a mutation is let go; what it waited for is owed from here on, whether it is in the queue or not.</summary>
    public void Owe(Mutation mutation)
    {
        if (!mutation.IsQueued)
        {
            mutation.IsOwed = true;
            return;
        }

        Tally(mutation, -1);
        mutation.IsOwed = true;
        KeepValueOnly(mutation);
        Tally(mutation, 1);
        _oldestOwedValue = mutation == _tail ? _oldestOwedValue : null;
        LetJoin(mutation);
    }

    /// <summary>Gives up the oldest owed values, those that are retained aside, until at least this much weight is gone; their removals stay.</summary>
    public List<CacheEntry>? DropOldestValues(long weight)
    {
        List<CacheEntry>? dropped = null;
        for (var mutation = _oldestOwedValue ?? _head; mutation is not null && weight > 0; mutation = mutation.Next)
        {
            _oldestOwedValue = mutation;
            if (IsOwedValue(mutation))
            {
                var entry = DropValue(mutation);
                weight -= weigh(entry);
                (dropped ??= []).Add(entry);
            }
        }

        return dropped;
    }

    /// <summary>Gives an owed value up that is heavier by itself than all of them may be: not for all that is owed. Null where it is not.</summary>
    public List<CacheEntry>? DropIfHeavier(Mutation mutation, long maxWeight) =>
        IsOwedValue(mutation) && weigh(mutation.Entry!) > maxWeight ? [DropValue(mutation)] : null;

    public void ForEach(Action<Mutation> action)
    {
        for (var mutation = _head; mutation is not null; mutation = mutation.Next)
        {
            action(mutation);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        ForEach(mutation => mutation.IsQueued = false);
        (_head, _tail, _oldestOwedValue) = (null, null, null);
        (OwedValueBytes, AwaitedCount) = (0, 0);
        Volatile.Write(ref _owedCount, 0);
        Volatile.Write(ref _count, 0);
        _joinable.Clear();
        _joinableEvictions.Clear();
    }

    private void LinkAtEnd(Mutation mutation)
    {
        mutation.Previous = _tail;
        if (_tail is null)
        {
            _head = mutation;
        }
        else
        {
            _tail.Next = mutation;
        }

        _tail = mutation;
    }

    private void MoveToEnd(Mutation mutation)
    {
        if (mutation.Next is not { } next)
        {
            return;
        }

        _oldestOwedValue = _oldestOwedValue == mutation ? next : _oldestOwedValue;
        Unlink(mutation);
        LinkAtEnd(mutation);
    }

    private void Unlink(Mutation mutation)
    {
        if (mutation.Previous is null)
        {
            _head = mutation.Next;
        }
        else
        {
            mutation.Previous.Next = mutation.Next;
        }

        if (mutation.Next is null)
        {
            _tail = mutation.Previous;
        }
        else
        {
            mutation.Next.Previous = mutation.Previous;
        }

        (mutation.Next, mutation.Previous) = (null, null);
    }

    private Mutation? JoinEviction(Mutation eviction)
    {
        if (!_joinableEvictions.TryGetValue(eviction.Tag!, out var waiting))
        {
            return null;
        }

        waiting.Sequence = Math.Max(waiting.Sequence, eviction.Sequence);
        return waiting;
    }

    private void LetNobodyJoin(Mutation mutation)
    {
        if (IsOfKey(mutation) && _joinable.TryGetValue(mutation.Key, out var joinable) && joinable == mutation)
        {
            _joinable.Remove(mutation.Key);
        }
        else if (mutation.Tag is { } tag && _joinableEvictions.TryGetValue(tag, out var eviction) && eviction == mutation)
        {
            _joinableEvictions.Remove(tag);
        }
    }

    private static bool IsOfKey(Mutation mutation) => mutation.Kind is RecordKind.Value or RecordKind.Removal;

    private void Enter(Mutation mutation)
    {
        mutation.IsQueued = true;
        Tally(mutation, 1);
        if (mutation.IsOwed)
        {
            KeepValueOnly(mutation);
            LetJoin(mutation);
        }
    }

    /// <summary>What is owed may wait for long, and is kept once: memory counts the value and not its other form.</summary>
    private static void KeepValueOnly(Mutation mutation) => mutation.Stored = null;

    /// <summary>Only the newest owed change of a key: what is older must not take the number of what comes.</summary>
    private void LetJoin(Mutation mutation)
    {
        if (mutation.Kind == RecordKind.TagEviction)
        {
            _joinableEvictions[mutation.Tag!] = mutation;
        }

        if (IsOfKey(mutation)
            && (!_joinable.TryGetValue(mutation.Key, out var other) || other.Sequence < mutation.Sequence))
        {
            _joinable[mutation.Key] = mutation;
        }
    }

    private static bool IsOwedValue(Mutation mutation) => mutation is { IsOwed: true, Kind: RecordKind.Value, Entry.IsRetained: false };

    private CacheEntry DropValue(Mutation mutation)
    {
        Tally(mutation, -1);
        var entry = mutation.DropValue();
        Tally(mutation, 1);
        return entry;
    }

    private void Tally(Mutation mutation, int by)
    {
        Volatile.Write(ref _count, _count + by);
        if (!mutation.IsOwed)
        {
            AwaitedCount += by;
            return;
        }

        Volatile.Write(ref _owedCount, _owedCount + by);
        if (mutation.Entry is { } entry)
        {
            OwedValueBytes += by * weigh(entry);
        }
    }
}
