namespace DiskDistributedCache.Storage;

/// <summary>What the index knows of one entry: a copy, valid for the moment at which it was taken.</summary>
internal readonly record struct IndexedEntry(
    ulong KeyHash, long Sequence, long Deadline, int Slot, long Offset, int Length, int UseCount, bool WasTouched, bool IsRetained)
{
    /// <summary>Accepted and not yet on disk: its value is in memory or nowhere.</summary>
    public bool IsPending => Slot == EntryIndex.PendingSlot;
}

/// <summary>
/// What is on disk, in memory: the newest version of every key, by the hash of the key. While the process lives this is the
/// truth and the log its journal. Two keys with one hash displace each other: the index may forget too much, never too
/// little.
///
/// Layout: 64 shards, each a hash table of places over chunks of structs: 32 bytes an entry, and 4 bytes for a place, of which 60 to 88 of 100
/// are taken, so at most 40 bytes an entry all in. A place has some bits of the hash, so that as a rule only the entry that is looked for is
/// touched: in a large index what costs is memory that no processor cache holds. Entries never move: a shard grows by a small chunk, and only
/// the places are made anew, a quarter more of them. No object per entry. Deadlines have 56 bits, from 1970 to 2198; a later one counts as never, and the record itself has the exact moment.
///
/// Uses are counted up to 3, and each time that a record is appended again takes one off: what was used often stays for
/// longer than what was used once, and nothing stays for ever.
///
/// Concurrency: one short lock per shard, never held over I/O or a callback that takes another lock. Every operation names the
/// sequence number that it is about, so that late completions change nothing that has moved on.
/// </summary>
internal sealed partial class EntryIndex
{
    public const int PendingSlot = ushort.MaxValue;

    private const int ShardBits = 6;
    private const int NoEntry = -1;
    private readonly Shard[] _shards = new Shard[1 << ShardBits];
    private readonly int[] _liveCounts;

    public EntryIndex(int slotCount)
    {
        _liveCounts = new int[slotCount];
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new Shard(_liveCounts);
        }
    }

    public int Count
    {
        get
        {
            int count = 0;
            foreach (var shard in _shards)
            {
                count += Volatile.Read(ref shard.EntryCount);
            }

            return count;
        }
    }

    /// <summary>How many entries have their record in the segment of this slot.</summary>
    public int LiveCount(int slot) => Volatile.Read(ref _liveCounts[slot]);

    public bool TryGet(ulong keyHash, out IndexedEntry entry)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            entry = at == NoEntry ? default : shard[at].Copy();
            return at != NoEntry;
        }
    }

    /// <summary>Makes an accepted value the key's current version, unless a newer one is there.</summary>
    public bool SetPending(ulong keyHash, long sequence, long deadline, bool isRetained = false) =>
        Put(keyHash, sequence, deadline, PendingSlot, 0, 0, isRetained, keepEqual: true);

    /// <summary>Recovery: a record that was found; the later position wins among equal numbers.</summary>
    public bool SetRecovered(ulong keyHash, long sequence, long deadline, int slot, long offset, int length, bool isRetained = false) =>
        Put(keyHash, sequence, deadline, slot, offset, length, isRetained, keepEqual: false);

    /// <summary>
    /// Says where a version now is, if it is still the current one and still where it was. That costs it one of its uses;
    /// <paramref name="deadline"/> is the one that was written.
    /// </summary>
    public bool Locate(ulong keyHash, long sequence, long deadline, int fromSlot, int slot, long offset, int length)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at == NoEntry || shard[at].Sequence != sequence || shard[at].Slot != fromSlot)
            {
                return false;
            }

            ref Slotted entry = ref shard[at];
            entry.Flags = (byte)((entry.Flags & ~Slotted.Touched) | (entry.Deadline > deadline ? Slotted.Touched : 0));
            entry.UseCount = Math.Max(0, entry.UseCount - 1);
            shard.Move(at, slot, offset, length);
            return true;
        }
    }

    /// <summary>Removes the key's version if it is not newer than the given number.</summary>
    public bool Remove(ulong keyHash, long sequence) => RemoveWhere(keyHash, entry => entry.Sequence <= sequence);

    /// <summary>Removes exactly this version.</summary>
    public bool RemoveIfSame(ulong keyHash, long sequence) => RemoveWhere(keyHash, entry => entry.Sequence == sequence);

    /// <summary>
    /// Removes exactly this version if it has expired, and says whether it did; where it has not, because another use has extended it beyond what the caller
    /// knows, <paramref name="deadline"/> is until when it lives, else 0.
    /// </summary>
    public bool RemoveIfExpired(ulong keyHash, long sequence, long nowTicks, out long deadline)
    {
        long later = 0;
        bool isRemoved = RemoveWhere(keyHash, entry =>
        {
            bool isSame = entry.Sequence == sequence;
            later = isSame && entry.Deadline > nowTicks ? entry.Deadline : 0;
            return isSame && later == 0;
        });
        deadline = later;
        return isRemoved;
    }

    /// <summary>Removes exactly this version if its record is in this slot.</summary>
    public bool RemoveIfSame(ulong keyHash, long sequence, int slot) =>
        RemoveWhere(keyHash, entry => entry.Sequence == sequence && entry.Slot == slot);

    /// <summary>
    /// Moves the deadline of a version forward. Returns the deadline that it had, or null where the version is not the current one.
    /// </summary>
    public long? Touch(ulong keyHash, long sequence, long deadline)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at == NoEntry || shard[at].Sequence != sequence)
            {
                return null;
            }

            ref Slotted entry = ref shard[at];
            long before = entry.Deadline;
            if (deadline > before)
            {
                entry.Deadline = deadline;
                entry.Flags |= Slotted.Touched;
            }

            return before;
        }
    }

    /// <summary>
    /// Notes that a version was used: it is worth keeping when its segment goes. False, and nothing noted, where it is not the current one.
    /// </summary>
    public bool TryMarkRead(ulong keyHash, long sequence)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at == NoEntry || shard[at].Sequence != sequence)
            {
                return false;
            }

            ref Slotted entry = ref shard[at];
            if (entry.UseCount < Slotted.MaxUseCount)
            {
                entry.UseCount++;
            }

            return true;
        }
    }

    /// <summary>Notes that the log has the deadline that the index has.</summary>
    public void MarkTouchLogged(ulong keyHash, long sequence, long deadline)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at != NoEntry && shard[at].Sequence == sequence && shard[at].Deadline <= deadline)
            {
                shard[at].Flags &= unchecked((byte)~Slotted.Touched);
            }
        }
    }

    /// <summary>Drops every version older than the given number.</summary>
    public void Clear(long olderThan) => RemoveAll(entry => entry.Sequence < olderThan);

    /// <summary>Drops every version whose record is in this slot; slow, for a segment whose facts cannot be read.</summary>
    public void RemoveSlot(int slot) => RemoveAll(entry => entry.Slot == slot);

    /// <summary>The entries that satisfy the condition, copied shard by shard.</summary>
    public IEnumerable<IndexedEntry> Where(Func<IndexedEntry, bool> condition)
    {
        var found = new List<IndexedEntry>();
        foreach (var shard in _shards)
        {
            found.Clear();
            lock (shard)
            {
                shard.ForEach((ref Slotted entry) =>
                {
                    var copy = entry.Copy();
                    if (condition(copy))
                    {
                        found.Add(copy);
                    }

                    return false;
                });
            }

            foreach (var entry in found)
            {
                yield return entry;
            }
        }
    }

    private delegate bool Visitor(ref Slotted entry);

    private Shard ShardOf(ulong keyHash) => _shards[(int)(keyHash >> (64 - ShardBits))];

    private bool Put(ulong keyHash, long sequence, long deadline, int slot, long offset, int length, bool isRetained, bool keepEqual)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at == NoEntry)
            {
                at = shard.Add(keyHash);
            }
            else if (shard[at].Sequence > sequence || (keepEqual && shard[at].Sequence == sequence))
            {
                return false;
            }

            ref Slotted entry = ref shard[at];
            entry.Sequence = sequence;
            entry.Flags = isRetained ? Slotted.Retained : (byte)0;
            entry.Deadline = deadline;
            shard.Move(at, slot, offset, length);
            return true;
        }
    }

    private bool RemoveWhere(ulong keyHash, Func<IndexedEntry, bool> condition)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at == NoEntry || !condition(shard[at].Copy()))
            {
                return false;
            }

            shard.RemoveAt(at);
            return true;
        }
    }

    private void RemoveAll(Func<IndexedEntry, bool> condition)
    {
        foreach (var shard in _shards)
        {
            lock (shard)
            {
                shard.ForEach((ref Slotted entry) => condition(entry.Copy()));
            }
        }
    }
}
