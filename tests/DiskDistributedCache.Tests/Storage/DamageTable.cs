using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// The table "damage -> what may be forgotten" of <c>docs/format.md</c>, row by row, for one store: which keys have to be served
/// although this byte, or everything from it on, is damaged.
/// </summary>
internal sealed class DamageTable
{
    public const string Superblock = "diskcache-v1/superblock";

    private const int HeaderBytes = 96;
    private const int FirstRecordAt = 128;

    private readonly StoreHistory _history;
    private readonly StoreLayout _layout;
    private readonly bool _isClosedClean;
    private readonly bool _isTrusted;
    private readonly List<CacheKey> _live;

    public DamageTable(StoreHistory history)
    {
        _history = history;
        _layout = new StoreLayout(history.Image);
        _isClosedClean = history.Ending == Ending.Clean;
        _isTrusted = _isClosedClean || File.Exists("/proc/sys/kernel/random/boot_id");
        _live = [.. history.Model.EveryKey.Where(key => history.Model.ValueOf(key, history.Now.UtcTicks) is not null)];
        Assert.True(_live.Count >= 2);
    }

    /// <summary>Behind this offset of a segment there are only zeros; null where the file is no segment.</summary>
    public int? TailOf(string path) => SegmentAt(path)?.LastByte;

    public IReadOnlySet<CacheKey> ServedAfterFlip(string path, int offset)
    {
        if (path == Superblock)
        {
            return Nothing;
        }

        if (SegmentAt(path) is not { } segment)
        {
            return Everything;
        }

        bool isActive = IsActive(segment);
        if (offset < 128)
        {
            return isActive ? Nothing : Everything;
        }

        var record = segment.Records.Find(record => offset >= record.Offset && offset < record.PayloadEnd);
        return record is null ? (isActive && offset >= segment.RecordsEnd + HeaderBytes ? Nothing : Everything)
            : isActive && offset < record.Offset + 96 ? Nothing
            : isActive && record.Kind == 3 ? Behind(segment, record.Offset)
            : record.Kind == 1 ? AllBut(segment, record)
            : Everything;
    }

    public IReadOnlySet<CacheKey> ServedAfterCut(string path, int length)
    {
        if (path == Superblock)
        {
            return Nothing;
        }

        if (SegmentAt(path) is not { } segment)
        {
            return Everything;
        }

        bool hasOnlyLostFooter = !IsActive(segment) && length >= segment.RecordsEnd;
        bool isCarried = !IsActive(segment) && !segment.HasFooter;
        return hasOnlyLostFooter ? Everything
            : isCarried ? AllBut(key => _layout.NewestOf(key) is var (where, record) && where == segment && record.PayloadEnd > length)
            : After(segment);
    }

    public IReadOnlySet<CacheKey> ServedWithout(string path) =>
        path == Superblock ? Nothing : SegmentAt(path) is { } segment ? After(segment) : Everything;

    /// <summary>
    /// What has to be served when a file has these bytes, as many as it had. Several bytes cost what each of them costs, as long as all are in
    /// one part of the file that something else stands in for, or in values; otherwise their segment and everything earlier.
    /// </summary>
    public IReadOnlySet<CacheKey> ServedAfterOverwrite(string path, byte[] bytes)
    {
        int[] changed = ChangedIn(_history.Image[path], bytes);
        if (changed.Length == 0 || path == Superblock || SegmentAt(path) is not { } segment)
        {
            return changed.Length > 0 && path == Superblock ? Nothing : Everything;
        }

        bool isOnePart = IsActive(segment)
            ? Array.TrueForAll(changed, at => IsInValue(segment, at)) || changed[0] > segment.LastByte
            : changed[0] >= segment.RecordsEnd
                || changed[^1] < FirstRecordAt
                || (changed[0] >= FirstRecordAt + segment.CarriedBytes && changed[^1] < segment.RecordsEnd);
        return isOnePart
            ? changed.Aggregate(Everything, (served, at) => served.Intersect(ServedAfterFlip(path, at)).ToHashSet())
            : ServedWithout(path);
    }

    /// <summary>Whether only records are other ones when a file has these bytes.</summary>
    public bool IsInRecords(string path, byte[] bytes) =>
        SegmentAt(path) is { } segment
        && Array.TrueForAll(ChangedIn(_history.Image[path], bytes), at => at >= FirstRecordAt + segment.CarriedBytes && at < segment.RecordsEnd);

    /// <summary>
    /// What had been acknowledged before the last records of the active segment, where it looks exactly as if they had never been written: they
    /// are behind the mark, the first of them does not verify, and behind where that one ended there is nothing. Else null.
    /// </summary>
    public CacheModel? BeforeUnwritten(StoreImage damaged)
    {
        if (_isClosedClean || !damaged.Paths.Contains(_layout.Segments[^1].Path, StringComparer.Ordinal))
        {
            return null;
        }

        var active = _layout.Segments[^1];
        byte[] bytes = damaged[active.Path];
        if (!IsActive(active) || bytes.Length != _history.Image[active.Path].Length || ChangedIn(_history.Image[active.Path], bytes) is not [int first, ..])
        {
            return null;
        }

        var torn = active.Records.Find(record => first < record.PayloadEnd);
        if (torn is null || torn.Offset < _layout.MarkEndIn(active))
        {
            return null;
        }

        int end = first < torn.Offset + HeaderBytes ? torn.Offset + HeaderBytes : torn.End;
        var last = bytes.AsSpan(0, end).LastIndexOfAnyExcept((byte)0) & ~7;
        bool endsComplete = last >= 0 && bytes.AsSpan(last, 8).SequenceEqual(_history.Image[active.Path].AsSpan(torn.End - 8, 8));
        return bytes.AsSpan(end).ContainsAnyExcept((byte)0) || (endsComplete && last + 8 > torn.Offset) ? null : _history.ModelBefore(torn.Sequence);
    }

    private static int[] ChangedIn(byte[] before, byte[] after) => [.. Enumerable.Range(0, before.Length).Where(at => before[at] != after[at])];

    private static bool IsInValue(SegmentLayout segment, int at) =>
        segment.Records.Exists(record => record.Kind == 1 && at >= record.Offset + HeaderBytes && at < record.PayloadEnd);

    private IReadOnlySet<CacheKey> Everything => AllBut(_ => false);

    private static IReadOnlySet<CacheKey> Nothing => new HashSet<CacheKey>();

    private SegmentLayout? SegmentAt(string path) => _layout.Segments.Find(segment => segment.Path == path);

    private bool IsActive(SegmentLayout segment) => !_isClosedClean && segment == _layout.Segments[^1] && !segment.HasFooter;

    private IReadOnlySet<CacheKey> AllBut(SegmentLayout segment, RecordLayout record) =>
        AllBut(key => _layout.NewestOf(key) == (segment, record));

    private IReadOnlySet<CacheKey> After(SegmentLayout segment) =>
        AllBut(key => _layout.NewestOf(key).Segment.Number <= segment.Number);

    private IReadOnlySet<CacheKey> Behind(SegmentLayout segment, int offset) =>
        AllBut(key => _layout.NewestOf(key) is var (where, record) && (where != segment || record.Offset < offset));

    private IReadOnlySet<CacheKey> AllBut(Predicate<CacheKey> isForgotten) =>
        _isTrusted ? _live.Where(key => !isForgotten(key)).ToHashSet() : Nothing;
}
