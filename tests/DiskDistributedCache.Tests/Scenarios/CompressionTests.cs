using System.IO.Compression;
using System.Text;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tiers;

namespace DiskDistributedCache.Tests.Scenarios;

/// <summary>Compression through the whole cache: any setting reads what any other has written, and no byte on disk is believed.</summary>
public sealed class CompressionTests : IAsyncDisposable
{
    private static readonly string s_text = string.Concat(Enumerable.Range(0, 200).Select(i => $"{{\"id\":{i},\"name\":\"n\"}}"));

    private readonly TierScene _scene = new();

    public ValueTask DisposeAsync() => _scene.DisposeAsync();

    [Theory]
    [InlineData(DiskCacheCompression.GZip, 1)]
    [InlineData(DiskCacheCompression.Brotli, 2)]
    public async Task A_value_is_smaller_on_disk_and_whole_in_memory_and_after_a_restart(DiskCacheCompression compression, int codec)
    {
        _scene.Options.Compression = compression;
        await _scene.OpenAsync();
        await _scene.Set("k", s_text, ["t"]);

        Assert.Equal(s_text, await _scene.Get("k"));
        await _scene.CloseAsync();
        var record = RecordOnDisk.Find(_scene.Folder, "k");
        Assert.Equal((codec, s_text.Length), (record.Codec, record.RawBytes));
        Assert.InRange(record.Stored.Length, 1, s_text.Length / 2);
        await _scene.OpenAsync();
        var found = await _scene.Look("k");
        Assert.Equal((DiskCacheTier.Disk, s_text), (found.Tier, Encoding.UTF8.GetString(found.Entry!.Value.ToArray())));
        await _scene.Evict("t");
        Assert.Null(await _scene.Get("k"));
    }

    // Seen to fail when a record was read by the present setting and not by what it says of itself.
    [Theory]
    [InlineData(DiskCacheCompression.None, DiskCacheCompression.GZip)]
    [InlineData(DiskCacheCompression.None, DiskCacheCompression.Brotli)]
    [InlineData(DiskCacheCompression.GZip, DiskCacheCompression.None)]
    [InlineData(DiskCacheCompression.GZip, DiskCacheCompression.Brotli)]
    [InlineData(DiskCacheCompression.Brotli, DiskCacheCompression.None)]
    [InlineData(DiskCacheCompression.Brotli, DiskCacheCompression.GZip)]
    public async Task A_store_written_with_one_setting_is_read_with_any_other(DiskCacheCompression before, DiskCacheCompression after)
    {
        _scene.Options.Compression = before;
        await _scene.OpenAsync();
        await _scene.Set("k", s_text);
        await _scene.Set("empty", "");

        _scene.Options.Compression = after;
        await _scene.ReopenKilledWhenTrustedAsync();

        Assert.Equal(s_text, await _scene.Get("k"));
        Assert.Equal("", await _scene.Get("empty"));
        await _scene.Set("k2", s_text);
        await _scene.ReopenClosedAsync();
        Assert.Equal(s_text, await _scene.Get("k2"));
    }

    // Seen to fail when the threshold was not looked at.
    [Fact]
    public async Task A_value_below_the_threshold_or_that_does_not_get_smaller_is_stored_as_it_is()
    {
        (_scene.Options.Compression, _scene.Options.CompressionThresholdBytes) = (DiskCacheCompression.GZip, 2000);
        await _scene.OpenAsync();
        await _scene.Set("short", new string('a', 1999));
        await _scene.Set("long", new string('a', 2000));
        string noise = string.Concat(Enumerable.Range(0, 2000).Select(_ => (char)Random.Shared.Next(33, 127)));
        await _scene.Set("noise", noise);
        await _scene.CloseAsync();

        Assert.Equal(0, RecordOnDisk.Find(_scene.Folder, "short").Codec);
        Assert.Equal(1, RecordOnDisk.Find(_scene.Folder, "long").Codec);
        await _scene.OpenAsync();
        Assert.Equal(noise, await _scene.Get("noise"));
    }

    // Seen to fail when a value that had not decompressed to its whole length was handed out, and when nothing was quarantined.
    [Theory]
    [InlineData(DiskCacheCompression.GZip)]
    [InlineData(DiskCacheCompression.Brotli)]
    public async Task Damaged_compressed_bytes_under_a_good_checksum_are_a_miss_and_go_to_quarantine(DiskCacheCompression compression)
    {
        _scene.Options.Compression = compression;
        await _scene.OpenAsync();
        await _scene.Set("k", s_text);
        await _scene.Set("other", s_text);
        await _scene.CloseAsync();
        var record = RecordOnDisk.Find(_scene.Folder, "k");
        byte[] noise = new byte[record.Stored.Length];
        new Random(1).NextBytes(noise);
        record.Replace(stored: noise);

        await _scene.OpenAsync();

        Assert.Equal(LookupOutcome.Miss, (await _scene.Look("k")).Outcome);
        Assert.Equal(s_text, await _scene.Get("other"));
        Assert.Equal(QuarantineReason.PayloadDamaged, Assert.Single(_scene.Cache.GetQuarantine()).Reason);
        Assert.Equal(1, _scene.Cache.GetStatus().CorruptionErrors);
        await _scene.Set("k", "new");
        await _scene.ReopenClosedAsync();
        Assert.Equal("new", await _scene.Get("k"));
    }

    // Seen to fail when decompression stopped at the announced length without asking whether there was more.
    [Theory]
    [InlineData(DiskCacheCompression.GZip, 1)]
    [InlineData(DiskCacheCompression.GZip, -1)]
    [InlineData(DiskCacheCompression.Brotli, 1)]
    [InlineData(DiskCacheCompression.Brotli, -1)]
    public async Task A_record_that_decompresses_to_more_or_less_than_it_says_is_corrupt(DiskCacheCompression compression, int differenceBytes)
    {
        _scene.Options.Compression = compression;
        await _scene.OpenAsync();
        await _scene.Set("k", s_text);
        await _scene.CloseAsync();
        RecordOnDisk.Find(_scene.Folder, "k").Replace(rawBytes: s_text.Length + differenceBytes);

        await _scene.OpenAsync();

        Assert.Null(await _scene.Get("k"));
        Assert.Equal(QuarantineReason.PayloadDamaged, Assert.Single(_scene.Cache.GetQuarantine()).Reason);
    }

    // Seen to fail, for want of memory, when the length was taken from the record alone.
    [Theory]
    [InlineData(DiskCacheCompression.GZip)]
    [InlineData(DiskCacheCompression.Brotli)]
    public async Task A_bomb_is_not_even_begun(DiskCacheCompression compression)
    {
        _scene.Options.Compression = compression;
        _scene.Options.MaxEntryBytes = 64 << 10;
        await _scene.OpenAsync();
        string room = string.Concat(Enumerable.Range(0, 3000).Select(i => $"{i * 7919 % 10007} "));
        await _scene.Set("k", room);
        await _scene.CloseAsync();
        var record = RecordOnDisk.Find(_scene.Folder, "k");
        byte[] bomb = new byte[record.Stored.Length];
        Bomb(compression, 4 << 20).CopyTo(bomb, 0);
        record.Replace(stored: bomb, rawBytes: int.MaxValue);

        await _scene.OpenAsync();
        long before = GC.GetTotalAllocatedBytes(precise: true);

        Assert.Equal(LookupOutcome.Miss, (await _scene.Look("k")).Outcome);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 1 << 30);
        Assert.Empty(_scene.Cache.GetQuarantine());
    }

    // Seen to fail when the length was not compared with the largest value of today.
    [Fact]
    public async Task A_compressed_value_that_is_larger_than_values_may_be_today_is_a_miss_and_no_damage()
    {
        _scene.Options.Compression = DiskCacheCompression.Brotli;
        await _scene.OpenAsync();
        await _scene.Set("k", s_text);

        _scene.Options.MaxEntryBytes = s_text.Length - 1;
        await _scene.ReopenClosedAsync();

        Assert.Null(await _scene.Get("k"));
        Assert.Equal((0, 0), (_scene.Cache.GetStatus().CorruptionErrors, _scene.Cache.GetStatus().DiskErrors));
    }

    // Seen to fail when what the lane had to encode itself was written as it is.
    [Fact]
    public async Task What_was_set_while_the_disk_was_away_is_compressed_when_it_is_written()
    {
        (_scene.Options.Compression, _scene.Options.MaxMemoryBytes) = (DiskCacheCompression.GZip, 4 << 20);
        await _scene.OpenAsync();
        await _scene.Set("k", "old");
        await _scene.LoseDiskAsync();
        await _scene.Set("k", s_text);

        await _scene.RegainDiskAsync();
        await _scene.ReopenKilledWhenTrustedAsync();

        Assert.Equal(s_text, await _scene.Get("k"));
        Assert.Equal(1, RecordOnDisk.Find(_scene.Folder, "k").Codec);
    }

    // Seen to fail when a reinsertion wrote the value as it is, and when it compressed it again with the setting of today.
    [Fact]
    public void A_reinserted_record_has_the_bytes_that_it_had()
    {
        using var scene = new StoreScene();
        scene.Settings = scene.Settings with
        {
            SegmentBytes = 16 << 10,
            MaxDiskBytes = 16 * (16 << 10),
            Codec = Codec(scene, DiskCacheCompression.GZip),
        };
        scene.Open();
        scene.Set("k", s_text);
        byte[] before = RecordOnDisk.Find(scene.Folder, "k").Stored;
        scene.Settings = scene.Settings with { Codec = Codec(scene, DiskCacheCompression.Brotli) };
        scene.ReopenClosed();

        for (int i = 0; i < 1000; i++)
        {
            scene.Set($"filler {i}", new string('f', 400));
            scene.MarkUsed("k");
        }

        Assert.True(scene.Store.ErasedSegments > 2);
        var record = RecordOnDisk.Find(scene.Folder, "k");
        Assert.Equal((1, s_text.Length), (record.Codec, record.RawBytes));
        Assert.Equal(before, record.Stored);
        Assert.Equal(s_text, scene.Read("k"));
        scene.ReopenKilled();
        Assert.Equal(s_text, scene.Read("k"));
    }

    private static ValueCodec Codec(StoreScene scene, DiskCacheCompression compression) => new(
        new DiskDistributedCacheOptions { Compression = compression }, scene.Clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

    private static byte[] Bomb(DiskCacheCompression compression, int bytes)
    {
        using var output = new MemoryStream();
        using (Stream stream = compression == DiskCacheCompression.GZip
            ? new GZipStream(output, CompressionLevel.Optimal)
            : new BrotliStream(output, CompressionLevel.Optimal))
        {
            stream.Write(new byte[bytes]);
        }

        return output.ToArray();
    }
}
