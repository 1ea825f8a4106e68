using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// The promise of the store against damage: whatever byte is flipped, wherever a file is cut, whichever file is missing, no read is
/// ever wrong, the store opens, and what <c>docs/format.md</c> does not give away is served.
///
/// Flips one bit of each byte, chosen by the offset, and all eight of them where the environment variable DISKCACHE_TEST_SWEEP is
/// <c>full</c>. Long runs of zeros are thinned out: behind the last record of an active segment it takes the first 64 bytes, the last
/// 64 and every 512th; in the padding of the superblock, of which another test tries every bit, every 64th.
/// </summary>
public sealed class DamageSweepTests
{
    public static TheoryData<string> Endings => [.. Enum.GetNames<Ending>()];

    [Theory]
    [MemberData(nameof(Endings))]
    public void An_undamaged_store_serves_everything(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        var table = new DamageTable(history);
        DamagedStore.Sweep(history, [new Damage("nothing", 0, history.Image, table.ServedAfterFlip("diskcache-v1/cache.lock", 0))]);
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public void A_flipped_bit_costs_no_more_than_the_table_says_and_never_lies(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        DamagedStore.Sweep(history, Flips(history));
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public void A_cut_file_costs_no_more_than_the_table_says_and_never_lies(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        DamagedStore.Sweep(history, Cuts(history));
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public void A_missing_file_costs_no_more_than_the_table_says_and_never_lies(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        var table = new DamageTable(history);
        DamagedStore.Sweep(
            history,
            history.Image.Paths.Select(path =>
                new Damage($"{path} is missing", 0, history.Image.Without(path), table.ServedWithout(path))));
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public void A_store_without_its_segments_opens_empty(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        var image = history.Image;
        foreach (string path in history.Image.Paths.Where(path => path.Contains("segments", StringComparison.Ordinal)))
        {
            image = image.Without(path);
        }

        DamagedStore.Sweep(history, [new Damage("no segments", 0, image, new HashSet<Entries.CacheKey>())]);
    }

    private static IEnumerable<Damage> Flips(StoreHistory history)
    {
        var table = new DamageTable(history);
        foreach (string path in DamagedPaths(history))
        {
            foreach (int offset in Positions(table, path, history.Image[path].Length))
            {
                for (int bit = DamagedStore.IsFull ? 0 : offset % 8; bit < (DamagedStore.IsFull ? 8 : (offset % 8) + 1); bit++)
                {
                    var image = history.Image.Flipped(path, offset, (byte)(1 << bit));
                    yield return new Damage(
                        $"{path}, bit {bit} of byte {offset}", offset, image, table.ServedAfterFlip(path, offset));
                }
            }
        }
    }

    private static IEnumerable<Damage> Cuts(StoreHistory history)
    {
        var table = new DamageTable(history);
        foreach (string path in DamagedPaths(history))
        {
            foreach (int length in Positions(table, path, history.Image[path].Length))
            {
                yield return new Damage(
                    $"{path} cut to {length}", length, history.Image.Cut(path, length), table.ServedAfterCut(path, length));
            }
        }
    }

    /// <summary>All files; where only the end of the process differs from another case, the last segment.</summary>
    private static IEnumerable<string> DamagedPaths(StoreHistory history) =>
        DamagedStore.IsFull || history.Ending is Ending.Clean or Ending.Killed
            ? history.Image.Paths
            : [new StoreLayout(history.Image).Segments[^1].Path];

    /// <summary>Every offset of a file, thinned out where there are only zeros.</summary>
    private static IEnumerable<int> Positions(DamageTable table, string path, int length)
    {
        if (path == DamageTable.Superblock && !DamagedStore.IsFull)
        {
            return Enumerable.Range(0, length).Where(at => at % 4096 < 128 || at % 4096 >= 4080 || at % 64 == 0);
        }

        bool isSpare = path.EndsWith("spare.new", StringComparison.Ordinal);
        int tail = isSpare ? 0 : table.TailOf(path) ?? length;
        return Enumerable.Range(0, length).Where(at => at < tail + 64 || at >= length - 64 || at % 512 == 0);
    }
}
