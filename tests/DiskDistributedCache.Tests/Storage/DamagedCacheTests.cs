using System.IO.Abstractions;
using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// A thin sample of the sweeps over damaged stores, through the whole cache with its lanes and both tiers: the mode is normal, no
/// read throws, and every read is right, at first, from memory and after a restart.
/// </summary>
public sealed class DamagedCacheTests
{
    private const int Step = 97;

    [Theory]
    [InlineData("Clean")]
    [InlineData("Killed")]
    public async Task A_cache_over_a_damaged_store_is_in_normal_mode_and_never_lies(string ending)
    {
        var history = StoreHistory.EndingAs(Enum.Parse<Ending>(ending));
        var table = new DamageTable(history);
        using var directory = new ScratchDirectory();
        foreach (string path in history.Image.Paths)
        {
            int length = table.TailOf(path) ?? Math.Min(history.Image[path].Length, 8192);
            for (int offset = path.Length % Step; offset < length; offset += Step)
            {
                history.Image.Flipped(path, offset, 0x10).WriteTo(directory.Path);
                await CheckAsync(directory.Path, history, table.ServedAfterFlip(path, offset), $"{path}, byte {offset}");
                history.Image.Cut(path, offset).WriteTo(directory.Path);
                await CheckAsync(directory.Path, history, table.ServedAfterCut(path, offset), $"{path} cut to {offset}");
            }
        }
    }

    private static async Task CheckAsync(string directory, StoreHistory history, IReadOnlySet<CacheKey> served, string damage)
    {
        for (int start = 1; start <= 2; start++)
        {
            WitnessFolder.Vouch(directory);
            await using var cache = new DiskCache(OptionsFor(directory), new FileSystem(), StoreHistory.TimeAt(history.Now));
            await cache.StartAsync();
            Assert.Equal(DiskCacheMode.Normal, cache.GetStatus().Mode);
            for (int round = 1; round <= 2; round++)
            {
                foreach (var key in history.Model.EveryKey.Where(key => key.Space == KeySpace.Data))
                {
                    byte[]? found = await cache.GetAsync(key.Text);
                    byte[]? expected = history.Model.ValueOf(key, history.Now.UtcTicks);
                    Assert.True(
                        found is null ? !served.Contains(key) : expected is not null && expected.AsSpan().SequenceEqual(found),
                        $"{history.Ending}, {damage}, start {start}, round {round}: '{key.Text}' is {Show(found)}");
                }
            }
        }
    }

    private static string Show(byte[]? value) => value is null ? "forgotten" : Encoding.UTF8.GetString(value);

    private static DiskDistributedCacheOptions OptionsFor(string directory) => new()
    {
        Directory = directory,
        SegmentBytes = 64 << 10,
        MaxDiskBytes = 16 << 20,
        WitnessDirectory = WitnessFolder.Path,
        IoTimeout = TimeSpan.FromMinutes(1),
        BreakDuration = TimeSpan.FromMinutes(5),
    };
}
