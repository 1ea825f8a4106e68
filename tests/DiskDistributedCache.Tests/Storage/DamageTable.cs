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

    private readonly StoreLayout _layout;
    private readonly bool _isClosedClean;
    private readonly bool _isTrusted;
    private readonly List<CacheKey> _live;

    public DamageTable(StoreHistory history)
    {
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
        return record is null ? Everything
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
