using System.Runtime.InteropServices;

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
/// Layout: 64 shards, each a chained hash table over chunks of structs: 36 bytes an entry, and a bucket of 4 bytes for two to
/// four entries, so at most 40 bytes an entry all in. Entries never move: a shard grows by a small chunk, and only the buckets double. No object per
/// entry. Deadlines have 56 bits, from 1970 to 2198; a later one counts as never, and the record itself has the exact moment.
///
/// Uses are counted up to 3, and each time that a record is appended again takes one off: what was used often stays for
/// longer than what was used once, and nothing stays for ever.
///
/// Concurrency: one short lock per shard, never held over I/O or a callback that takes another lock. Every operation names the
/// sequence number that it is about, so that late completions change nothing that has moved on.
/// </summary>
internal sealed class EntryIndex
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

    /// <summary>Notes that a version was used: it is worth keeping when its segment goes.</summary>
    public void MarkRead(ulong keyHash, long sequence)
    {
        var shard = ShardOf(keyHash);
        lock (shard)
        {
            int at = shard.Find(keyHash);
            if (at != NoEntry && shard[at].Sequence == sequence)
            {
                shard[at].UseCount = Math.Min(Slotted.MaxUseCount, shard[at].UseCount + 1);
            }
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

    /// <summary>36 bytes: hash 8, sequence 6, slot 2, offset 4, length 4, deadline 7, flags 1, next 4.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct Slotted
    {
        public const int MaxUseCount = 3;
        public const byte Touched = 4;
        public const byte Retained = 8;

        private const long EpochTicks = 621_355_968_000_000_000; // 1970-01-01
        private const long MaxDeadline = (1L << 56) - 1;

        public ulong KeyHash;
        private uint _sequenceLow;
        private ushort _sequenceHigh;
        private ushort _slot;
        private uint _offset;
        private uint _length;
        private uint _deadlineLow;
        private uint _deadlineHighAndFlags;
        public int Next;

        public long Sequence
        {
            readonly get => _sequenceLow | ((long)_sequenceHigh << 32);
            set => (_sequenceLow, _sequenceHigh) = ((uint)value, (ushort)(value >> 32));
        }

        public readonly int Slot => _slot;

        public byte Flags
        {
            readonly get => (byte)(_deadlineHighAndFlags >> 24);
            set => _deadlineHighAndFlags = (_deadlineHighAndFlags & 0x00FF_FFFF) | ((uint)value << 24);
        }

        /// <summary>The two lowest flags.</summary>
        public int UseCount
        {
            readonly get => Flags & MaxUseCount;
            set => Flags = (byte)((Flags & ~MaxUseCount) | value);
        }

        public long Deadline
        {
            readonly get
            {
                long packed = _deadlineLow | ((long)(_deadlineHighAndFlags & 0x00FF_FFFF) << 32);
                return packed == MaxDeadline ? Entries.Expiry.Never : packed + EpochTicks;
            }

            set
            {
                long packed = Math.Clamp(value - EpochTicks, 0, MaxDeadline);
                _deadlineLow = (uint)packed;
                _deadlineHighAndFlags = (_deadlineHighAndFlags & 0xFF00_0000) | (uint)(packed >> 32);
            }
        }

        public void MoveTo(int slot, long offset, int length) =>
            (_slot, _offset, _length) = ((ushort)slot, (uint)(offset / RecordFormat.Alignment), (uint)length);

        public readonly IndexedEntry Copy() => new(
            KeyHash,
            Sequence,
            Deadline,
            _slot,
            (long)_offset * RecordFormat.Alignment,
            (int)_length,
            UseCount,
            (Flags & Touched) != 0,
            (Flags & Retained) != 0);
    }

    /// <summary>Guarded by a lock on itself.</summary>
    private sealed class Shard(int[] liveCounts)
    {
        private const int ChunkBits = 7;
        private const int ChunkEntries = 1 << ChunkBits;
        private const int MaxEntriesPerBucket = 4;

        public int EntryCount;
        private int[] _buckets = NewBuckets(16);
        private Slotted[][] _chunks = [];
        private int _usedCount;
        private int _free = NoEntry;

        public ref Slotted this[int at] => ref _chunks[at >> ChunkBits][at & (ChunkEntries - 1)];

        public int Find(ulong keyHash)
        {
            int at = _buckets[BucketOf(keyHash)];
            while (at != NoEntry)
            {
                ref Slotted entry = ref this[at];
                if (entry.KeyHash == keyHash)
                {
                    return at;
                }

                at = entry.Next;
            }

            return NoEntry;
        }

        public int Add(ulong keyHash)
        {
            if (EntryCount >= MaxEntriesPerBucket * _buckets.Length)
            {
                Grow();
            }

            int at = Allocate();
            ref int bucket = ref _buckets[BucketOf(keyHash)];
            this[at] = new Slotted { KeyHash = keyHash, Next = bucket };
            this[at].MoveTo(PendingSlot, 0, 0);
            bucket = at;
            EntryCount++;
            return at;
        }

        public void Move(int at, int slot, long offset, int length)
        {
            ref Slotted entry = ref this[at];
            CountLive(entry.Slot, -1);
            entry.MoveTo(slot, offset, length);
            CountLive(slot, 1);
        }

        public void RemoveAt(int at)
        {
            ulong keyHash = this[at].KeyHash;
            ref int link = ref _buckets[BucketOf(keyHash)];
            while (link != at)
            {
                link = ref this[link].Next;
            }

            link = this[at].Next;
            Release(at);
        }

        /// <summary>Visits every entry; those for which the visitor answers true are removed.</summary>
        public void ForEach(Visitor visit)
        {
            for (int bucket = 0; bucket < _buckets.Length; bucket++)
            {
                ref int link = ref _buckets[bucket];
                while (link != NoEntry)
                {
                    int at = link;
                    if (visit(ref this[at]))
                    {
                        link = this[at].Next;
                        Release(at);
                    }
                    else
                    {
                        link = ref this[at].Next;
                    }
                }
            }
        }

        private void Release(int at)
        {
            CountLive(this[at].Slot, -1);
            this[at].Next = _free;
            _free = at;
            EntryCount--;
        }

        private int Allocate()
        {
            if (_free != NoEntry)
            {
                int free = _free;
                _free = this[free].Next;
                return free;
            }

            int chunk = _usedCount >> ChunkBits;
            if (chunk == _chunks.Length)
            {
                Array.Resize(ref _chunks, chunk + (chunk / 8) + 1);
            }

            _chunks[chunk] ??= new Slotted[ChunkEntries];
            return _usedCount++;
        }

        private void Grow()
        {
            int[] grown = NewBuckets(_buckets.Length * 2);
            int[] old = _buckets;
            _buckets = grown;
            foreach (int head in old)
            {
                for (int at = head; at != NoEntry;)
                {
                    int next = this[at].Next;
                    ref int bucket = ref grown[BucketOf(this[at].KeyHash)];
                    this[at].Next = bucket;
                    bucket = at;
                    at = next;
                }
            }
        }

        private void CountLive(int slot, int by)
        {
            if (slot != PendingSlot)
            {
                Interlocked.Add(ref liveCounts[slot], by);
            }
        }

        private int BucketOf(ulong keyHash) => (int)((uint)keyHash & (uint)(_buckets.Length - 1));

        private static int[] NewBuckets(int count)
        {
            int[] buckets = new int[count];
            Array.Fill(buckets, NoEntry);
            return buckets;
        }
    }
}
