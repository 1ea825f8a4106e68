using System.IO.Abstractions;
using DiskDistributedCache.Entries;

namespace DiskDistributedCache.Storage;

/// <summary>
/// Keeps bytes that did not verify, for people to look at: bounded in bytes and in files, the oldest go first, and no piece takes
/// so much room that it drives all others out. The cache never reads them back. What is there is known in memory: from the heads of
/// the files when the store opens, and from then on from what is done here, so that listing costs no I/O.
///
/// Concurrency: damage is met on the read lanes and on the writer lane. They do their I/O here one after another, under a lock that
/// nobody else takes; whoever lists reads a finished list.
///
/// Order of effects: room first, then the bytes, then their header. A kill in between leaves a file that is listed as unreadable
/// at the next start and goes in its turn.
///
/// Faults: counted and swallowed. Whoever met the damage has an answer to give, and it does not depend on this. What could not be
/// kept is listed without a file. A folder that has gone is not made again before the next start: its disk may have gone with it.
/// </summary>
internal sealed class Quarantine(CacheDirectory directory, CacheClock clock, long maxBytes)
{
    public const int MaxFiles = 1024;

    /// <summary>A piece may be as large as this, however small a part of the room is meant for one: a record's head and some of it.</summary>
    private const int MinPieceBytes = 4 << 10;

    /// <summary>Files that a start looks at: more than there can be, unless somebody else has put them there.</summary>
    private const int MaxFoundFiles = 4 * MaxFiles;

    private readonly Lock _lock = new();

    // Guarded by _lock. Oldest first; _fileBytes is the sum of their files.
    private readonly List<Piece> _pieces = [];
    private long _fileBytes;
    private long _lastTicks;

    private volatile IReadOnlyList<QuarantinedRecord> _records = [];
    private long _keptCount;
    private long _corruptCount;
    private long _failedCount;

    /// <summary>Called with everything that did not verify, on the lane that met it.</summary>
    public Action<QuarantinedRecord>? Met { get; init; }

    /// <summary>Called once, with the first thing that the folder did not do, under a lock.</summary>
    public Action? Failed { get; init; }

    /// <summary>What is known of the pieces, oldest first.</summary>
    public IReadOnlyList<QuarantinedRecord> Records => _records;

    /// <summary>Pieces whose bytes were kept since the cache was created.</summary>
    public long KeptCount => Volatile.Read(ref _keptCount);

    /// <summary>Records and parts of segments that did not verify since the cache was created.</summary>
    public long CorruptCount => Volatile.Read(ref _corruptCount);

    /// <summary>What the folder did not do since the cache was created.</summary>
    public long FailedCount => Volatile.Read(ref _failedCount);

    /// <summary>What the files take.</summary>
    public long Bytes => Volatile.Read(ref _fileBytes);

    /// <summary>The most bytes that one file may have.</summary>
    private long PieceBytes => Math.Min(maxBytes, Math.Max(maxBytes / 4, MinPieceBytes));

    /// <summary>Learns what earlier runs have left. Only the process that owns the folder may do this.</summary>
    public void Load()
    {
        lock (_lock)
        {
            _pieces.Clear();
            _fileBytes = 0;
            try
            {
                var found = directory.QuarantineFiles().Take(MaxFoundFiles).OrderBy(file => file.Ticks).ToList();
                foreach (var (file, segment, ticks) in found)
                {
                    // No two have the same name. One of a clock that was ahead is far enough away.
                    _lastTicks = ticks < clock.NowTicks + TimeSpan.TicksPerSecond ? Math.Max(_lastTicks, ticks) : _lastTicks;
                    Add(found.Count - _pieces.Count > MaxFiles ? Unreadable(file, segment, ticks) : Read(file, segment, ticks));
                }

                MakeRoom(0, 0);
            }
            catch (Exception)
            {
                // See the head. What was not found goes on at the next start.
                CountFailure();
            }

            Publish();
        }
    }

    public void Keep(in DamagedPlace place, ReadOnlySpan<byte> bytes)
    {
        Interlocked.Increment(ref _corruptCount);
        QuarantinedRecord record;
        lock (_lock)
        {
            record = FindKept(place) ?? Store(place, bytes);
        }

        try
        {
            Met?.Invoke(record);
        }
        catch (Exception)
        {
            // Whoever is told is a log, and nobody's answer depends on that either.
        }
    }

    /// <summary>Deletes every file in the folder. What cannot be deleted stays on the list.</summary>
    public void Empty()
    {
        lock (_lock)
        {
            try
            {
                var left = new HashSet<string>(StringComparer.Ordinal);
                foreach (var file in directory.FilesIn(directory.Quarantine))
                {
                    if (!TryDelete(file.Name))
                    {
                        left.Add(file.Name);
                    }
                }

                _pieces.RemoveAll(piece => piece.Record.FileName is null || !left.Contains(piece.Record.FileName));
                _fileBytes = _pieces.Sum(piece => piece.FileBytes);
            }
            catch (Exception)
            {
                // See the head.
                CountFailure();
            }

            Publish();
        }
    }

    private void CountFailure()
    {
        if (Interlocked.Increment(ref _failedCount) == 1)
        {
            Failed?.Invoke();
        }
    }

    /// <summary>The same damage is met again at every start and by every try to open the store; it must not drive other pieces out.</summary>
    private QuarantinedRecord? FindKept(DamagedPlace place) => _pieces.Find(piece =>
        piece.Record.FileName is not null
        && place == new DamagedPlace(
            piece.Record.Reason, piece.Record.Segment, piece.Record.Offset, piece.Record.KeyHash, piece.Record.OriginalBytes))?.Record;

    private QuarantinedRecord Store(in DamagedPlace place, ReadOnlySpan<byte> bytes)
    {
        _lastTicks = Math.Max(_lastTicks + 1, clock.NowTicks);
        var piece = PieceBytes > QuarantineFormat.HeaderBytes
            ? Write(place, bytes[..(int)Math.Min(bytes.Length, PieceBytes - QuarantineFormat.HeaderBytes)])
            : new Piece(Describe(place, _lastTicks, 0, null), 0);

        // A list that is full of files that cannot be deleted stays as it is.
        if (_pieces.Count < MaxFiles || TryForgetWithoutFile())
        {
            Add(piece);
        }

        Publish();
        return piece.Record;
    }

    private Piece Write(in DamagedPlace place, ReadOnlySpan<byte> bytes)
    {
        string name = CacheDirectory.QuarantineName(place.Segment, _lastTicks);
        int fileBytes = QuarantineFormat.HeaderBytes + bytes.Length;
        bool isBegun = false;
        try
        {
            MakeRoom(1, fileBytes);
            using var file = directory.Open(directory.QuarantineFile(name), FileMode.CreateNew);
            isBegun = true;
            Span<byte> header = stackalloc byte[QuarantineFormat.HeaderBytes];
            QuarantineFormat.WriteHeader(header, place, _lastTicks, bytes.Length);
            file.Write(bytes, header.Length);
            file.Write(header, 0);
            Interlocked.Increment(ref _keptCount);
            return new Piece(Describe(place, _lastTicks, bytes.Length, name), fileBytes);
        }
        catch (Exception)
        {
            // See the head.
            CountFailure();
        }

        // A part of a file that cannot be deleted either takes room until its turn comes.
        return isBegun && !TryDelete(name)
            ? new Piece(Describe(place, _lastTicks, 0, name), fileBytes)
            : new Piece(Describe(place, _lastTicks, 0, null), 0);
    }

    private Piece Read(IFileInfo info, long segment, long ticks)
    {
        try
        {
            using var file = directory.Open(directory.QuarantineFile(info.Name), FileMode.Open);
            long fileBytes = file.Length;
            Span<byte> header = stackalloc byte[QuarantineFormat.HeaderBytes];
            int read = file.Read(header, 0);
            if (QuarantineFormat.TryReadHeader(header[..read], fileBytes, out var place, out long metTicks, out long keptBytes))
            {
                return new Piece(Describe(place, metTicks, keptBytes, info.Name), fileBytes);
            }
        }
        catch (Exception)
        {
            // See the head.
            CountFailure();
        }

        return Unreadable(info, segment, ticks);
    }

    private static Piece Unreadable(IFileInfo file, long segment, long ticks) =>
        new(Describe(new DamagedPlace(QuarantineReason.Unreadable, segment, 0, 0, 0), ticks, 0, file.Name), file.Exists ? file.Length : 0);

    private static QuarantinedRecord Describe(in DamagedPlace place, long ticks, long keptBytes, string? name) => new()
    {
        Reason = place.Reason,
        Time = new DateTimeOffset(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), TimeSpan.Zero),
        Segment = place.Segment,
        Offset = place.Offset,
        KeyHash = place.KeyHash,
        KeptBytes = keptBytes,
        OriginalBytes = place.OriginalBytes,
        FileName = name,
    };

    private void Add(Piece piece)
    {
        _pieces.Add(piece);
        _fileBytes += piece.FileBytes;
    }

    /// <summary>Deletes the oldest until this much more may be kept. A single piece always fits then.</summary>
    private void MakeRoom(int moreCount, long moreBytes)
    {
        while (_pieces.Count > 0 && (_pieces.Count + moreCount > MaxFiles || _fileBytes + moreBytes > maxBytes))
        {
            var oldest = _pieces[0];
            if (oldest.Record.FileName is { } name)
            {
                directory.Delete(directory.QuarantineFile(name));
            }

            _pieces.RemoveAt(0);
            _fileBytes -= oldest.FileBytes;
        }
    }

    private bool TryForgetWithoutFile()
    {
        int at = _pieces.FindIndex(piece => piece.Record.FileName is null);
        if (at >= 0)
        {
            _pieces.RemoveAt(at);
        }

        return at >= 0;
    }

    private bool TryDelete(string name)
    {
        try
        {
            directory.Delete(directory.QuarantineFile(name));
            return true;
        }
        catch (Exception)
        {
            // See the head.
            CountFailure();
            return false;
        }
    }

    private void Publish() => _records = Array.AsReadOnly([.. _pieces.TakeLast(MaxFiles).Select(piece => piece.Record)]);

    private sealed record Piece(QuarantinedRecord Record, long FileBytes);
}
