using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// One sector of the log that a disk has written to the wrong place, or filled with something else, after the process was killed. The records
/// of this store begin at sectors, so that one can take the whole place of others.
/// </summary>
public sealed class MisplacedSectorTests
{
    private const int SectorBytes = 512;

    private static readonly StoreHistory s_history = StoreHistory.AlignedEndingAs(Ending.Killed);

    // Seen to fail while the checksums of a record did not depend on its place: a removal was overwritten by an older value, and nobody noticed.
    [Fact]
    public void A_sector_in_the_place_of_another_of_its_segment_brings_nothing_back()
    {
        var sectors = Enumerable.Range(0, SectorCount).ToArray();
        DamagedStore.Sweep(
            s_history,
            from at in sectors
            from source in sectors
            where source != at
            select Overwritten($"sector {at} is sector {source}", at, Active.AsSpan(source * SectorBytes, SectorBytes).ToArray()));
    }

    // Seen to fail while anything that did not end with an end mark was taken for a torn record: the records behind it were not missed.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_sector_of_garbage_brings_nothing_back(int seed)
    {
        byte[] garbage = new byte[SectorBytes];
        new Random(seed).NextBytes(garbage);
        DamagedStore.Sweep(s_history, Enumerable.Range(0, SectorCount).Select(at => Overwritten($"sector {at} is garbage", at, garbage)));
    }

    // Seen to fail while an end mark was looked for behind where the next segment says that the records end: the footer has none of its own.
    [Fact]
    public void A_footer_that_is_overwritten_with_a_record_of_its_segment_costs_nothing()
    {
        var history = StoreHistory.EndingAs(Ending.Killed);
        var table = new DamageTable(history);
        var segment = new StoreLayout(history.Image).Segments.First(segment => segment.HasFooter);
        byte[] bytes = (byte[])history.Image[segment.Path].Clone();
        var record = segment.Records[^1];
        bytes.AsSpan(record.Offset, record.End - record.Offset).CopyTo(bytes.AsSpan(segment.RecordsEnd));
        var damage = new Damage("footer", 0, history.Image.With(segment.Path, bytes), table.ServedAfterOverwrite(segment.Path, bytes));

        Assert.NotEmpty(damage.Served);
        DamagedStore.Sweep(history, [damage, damage with { Offset = 1 }]);
    }

    private static string ActivePath => new StoreLayout(s_history.Image).Segments[^1].Path;

    private static byte[] Active => s_history.Image[ActivePath];

    /// <summary>Those with records, and one behind.</summary>
    private static int SectorCount => (new DamageTable(s_history).TailOf(ActivePath)!.Value / SectorBytes) + 2;

    private static Damage Overwritten(string what, int sector, byte[] by)
    {
        byte[] bytes = (byte[])Active.Clone();
        by.CopyTo(bytes, sector * SectorBytes);
        var image = s_history.Image.With(ActivePath, bytes);
        return new Damage(what, sector, image, new HashSet<CacheKey>()) { Unwritten = new DamageTable(s_history).BeforeUnwritten(image) };
    }
}
