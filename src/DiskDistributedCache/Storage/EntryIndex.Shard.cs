using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DiskDistributedCache.Storage;

/// <content>
/// One part of the index, and the form in which it keeps an entry.
/// </content>
internal sealed partial class EntryIndex
{
    /// <summary>32 bytes: hash 8, sequence 6, slot 2, offset 4, length 4, deadline 7, flags 1.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct Slotted
    {
        public const int MaxUseCount = 3;
        public const byte Touched = 4;
        public const byte Retained = 8;

        private const long EpochTicks = 621_355_968_000_000_000; // 1970-01-01
        private const long MaxDeadline = (1L << 56) - 1;
        private const uint FreeLength = uint.MaxValue; // no record is as long

        public ulong KeyHash;
        private uint _sequenceLow;
        private ushort _sequenceHigh;
        private ushort _slot;
        private uint _offset;
        private uint _length;
        private uint _deadlineLow;
        private uint _deadlineHighAndFlags;

        public long Sequence
        {
            readonly get => _sequenceLow | ((long)_sequenceHigh << 32);
            set => (_sequenceLow, _sequenceHigh) = ((uint)value, (ushort)(value >> 32));
        }

        public readonly int Slot => _slot;

        /// <summary>Whether there is no entry here.</summary>
        public readonly bool IsFree => _length == FreeLength;

        /// <summary>Of a free one: the next that is free.</summary>
        public readonly int NextFree => (int)_offset;

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

        public void Free(int nextFree) => (_length, _offset) = (FreeLength, (uint)nextFree);

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

    /// <summary>
    /// Guarded by a lock on itself.
    ///
    /// A place is empty, vacated (an entry was there, and looking goes on behind it), or has the number of an entry with seven bits of its hash. Looked
    /// for is from where the hash points to, place by place, until an empty one. Places are made anew when seven of eight are taken or vacated:
    /// as many again, or, where more than three of four are taken, a quarter more.
    /// </summary>
    private sealed class Shard(int[] liveCounts)
    {
        private const int ChunkBits = 7;
        private const int ChunkEntries = 1 << ChunkBits;
        private const int NumberBits = 25;
        private const int MaxEntries = (1 << NumberBits) - FirstNumber;
        private const uint NumberMask = (1u << NumberBits) - 1;
        private const uint Empty = 0;
        private const uint Vacated = 1;
        private const int FirstNumber = 2;

        public int EntryCount;
        private uint[] _places = new uint[32];
        private int _emptyCount = 32;
        private Slotted[][] _chunks = [];
        private int _usedCount;
        private int _free = NoEntry;

        /// <summary>Without a look at the length of the chunk, which is in other memory than the entry; nobody but this class has numbers.</summary>
        public ref Slotted this[int at] =>
            ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_chunks[at >> ChunkBits]), at & (ChunkEntries - 1));

        public int Find(ulong keyHash)
        {
            uint[] places = _places;
            uint mark = MarkOf(keyHash);
            for (int i = HomeOf(keyHash); ; i = After(i, places))
            {
                uint place = places[i];
                if (place == Empty)
                {
                    return NoEntry;
                }

                if ((place & ~NumberMask) == mark && place != Vacated)
                {
                    int at = NumberIn(place);
                    if (this[at].KeyHash == keyHash)
                    {
                        return at;
                    }
                }
            }
        }

        /// <summary>Adds an entry for a hash that has none.</summary>
        public int Add(ulong keyHash)
        {
            if (_emptyCount <= _places.Length / 8)
            {
                MakePlaces();
            }

            int at = Allocate();
            ref Slotted entry = ref this[at];
            entry = new Slotted { KeyHash = keyHash };
            entry.MoveTo(PendingSlot, 0, 0);
            Place(keyHash, at);
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
            ref Slotted entry = ref this[at];
            uint place = PlaceOf(entry.KeyHash, at);
            int i = HomeOf(entry.KeyHash);
            while (_places[i] != place)
            {
                i = After(i, _places);
            }

            // Nobody looks on behind the last one of a row.
            bool isLast = _places[After(i, _places)] == Empty;
            _places[i] = isLast ? Empty : Vacated;
            _emptyCount += isLast ? 1 : 0;
            CountLive(entry.Slot, -1);
            entry.Free(_free);
            _free = at;
            EntryCount--;
        }

        /// <summary>Visits every entry; those for which the visitor answers true are removed.</summary>
        public void ForEach(Visitor visit)
        {
            for (int at = 0; at < _usedCount; at++)
            {
                ref Slotted entry = ref this[at];
                if (!entry.IsFree && visit(ref entry))
                {
                    RemoveAt(at);
                }
            }
        }

        private int Allocate()
        {
            if (_free != NoEntry)
            {
                int free = _free;
                _free = this[free].NextFree;
                return free;
            }

            if (_usedCount == MaxEntries)
            {
                throw new InvalidOperationException("The index is full.");
            }

            int chunk = _usedCount >> ChunkBits;
            if (chunk == _chunks.Length)
            {
                Array.Resize(ref _chunks, chunk + (chunk / 8) + 1);
            }

            _chunks[chunk] ??= new Slotted[ChunkEntries];
            return _usedCount++;
        }

        private void MakePlaces()
        {
            int length = _places.Length;
            _places = new uint[EntryCount > length / 4 * 3 ? length + (length / 4) : length];
            _emptyCount = _places.Length;
            for (int at = 0; at < _usedCount; at++)
            {
                ref Slotted entry = ref this[at];
                if (!entry.IsFree)
                {
                    Place(entry.KeyHash, at);
                }
            }
        }

        private void Place(ulong keyHash, int at)
        {
            int i = HomeOf(keyHash);
            while (_places[i] > Vacated)
            {
                i = After(i, _places);
            }

            _emptyCount -= _places[i] == Empty ? 1 : 0;
            _places[i] = PlaceOf(keyHash, at);
        }

        private void CountLive(int slot, int by)
        {
            if (slot != PendingSlot)
            {
                Interlocked.Add(ref liveCounts[slot], by);
            }
        }

        private static int After(int i, uint[] places) => i + 1 == places.Length ? 0 : i + 1;

        /// <summary>The lowest 32 bits of the hash, which the multiplication spreads, as a part of the places. The highest ones choose the shard.</summary>
        private int HomeOf(ulong keyHash) => (int)(((ulong)((uint)keyHash * 0x9E37_79B9) * (ulong)_places.Length) >> 32);

        private static uint MarkOf(ulong keyHash) => (uint)(keyHash >> 32) << NumberBits;

        private static uint PlaceOf(ulong keyHash, int at) => MarkOf(keyHash) | (uint)(at + FirstNumber);

        private static int NumberIn(uint place) => (int)(place & NumberMask) - FirstNumber;
    }
}
