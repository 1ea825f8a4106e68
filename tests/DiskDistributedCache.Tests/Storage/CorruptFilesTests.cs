using System.Globalization;
using System.IO.Abstractions;
using System.Text;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// Several segment files corrupt at once, through the whole cache with its lanes: what is damaged is a miss and in quarantine, what is
/// not is served, and the cache stays in normal mode.
/// </summary>
public sealed class CorruptFilesTests : IAsyncLifetime
{
    private const int CorruptEvent = 8;
    private const int KeyCount = 90;
    private const int ValueBytes = 4 << 10;

    private readonly ScratchDirectory _directory = new();
    private readonly FaultyFileSystem _files = new();
    private readonly TestClock _time = new();
    private readonly CollectedLog _log = new();
    private DiskCache _cache = null!;

    private string[] SegmentPaths =>
        [.. Directory.EnumerateFiles(_directory.Path, "*.seg", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    public async ValueTask InitializeAsync()
    {
        await OpenAsync(new FileSystem());
        for (int i = 0; i < KeyCount; i++)
        {
            await _cache.SetAsync(KeyOf(i), ValueOf(i), new DistributedCacheEntryOptions(), TestContext.Current.CancellationToken);
        }

        Assert.True(SegmentPaths.Length > 4);
    }

    public async ValueTask DisposeAsync()
    {
        _files.Heal();
        await _cache.DisposeAsync();
        _directory.Dispose();
    }

    // Seen to fail when nothing was kept, and when the event was not logged.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Records_in_three_files_that_rot_at_once_are_listed_and_everything_else_is_served(bool whileClosed)
    {
        if (whileClosed)
        {
            await _cache.DisposeAsync();
        }

        var damaged = DamageOneIn(SegmentPaths[..3]);
        if (whileClosed)
        {
            await OpenAsync(new FileSystem());
        }

        _time.Advance(TimeSpan.FromMinutes(1));
        await ReadAllAsync(damaged);
        await ReadAllAsync(damaged);

        var listed = _cache.GetQuarantine();
        Assert.Equal([1, 2, 3], listed.Select(record => record.Segment).Order());
        Assert.All(listed, record =>
        {
            Assert.Equal(QuarantineReason.PayloadDamaged, record.Reason);
            Assert.Equal(_time.GetUtcNow(), record.Time, TimeSpan.FromMilliseconds(1));
            Assert.NotEqual(0ul, record.KeyHash);
            Assert.Equal(record.OriginalBytes, record.KeptBytes);
            Assert.True(File.Exists(Path.Combine(_directory.Path, "diskcache-v1", "quarantine", record.FileName!)));
        });
        var status = _cache.GetStatus();
        Assert.Equal((DiskCacheMode.Normal, 3, 3, 0), (status.Mode, status.CorruptionErrors, status.QuarantinedRecords, status.QuarantineErrors));
        Assert.Equal(
            listed.Select(record => $"What is in segment {record.Segment} at offset {record.Offset} did not verify (PayloadDamaged) and was dropped.")
                .Order(),
            _log.Texts(CorruptEvent).Order());

        await _cache.DisposeAsync();
        Assert.Equal(listed, _cache.GetQuarantine());
        await OpenAsync(new FileSystem());
        Assert.Equal(listed, _cache.GetQuarantine());
        await _cache.ClearAsync(TestContext.Current.CancellationToken);
        Assert.Empty(_cache.GetQuarantine());
    }

    // Seen to fail when a start kept nothing.
    [Fact]
    public async Task Files_that_a_start_finds_cut_are_listed_and_what_came_after_them_is_served()
    {
        await _cache.DisposeAsync();
        string[] cut = SegmentPaths[..3];
        string left = string.Concat(SegmentPaths[3..].Select(path => Encoding.Latin1.GetString(File.ReadAllBytes(path))));
        foreach (string path in cut)
        {
            using var file = new FileStream(path, FileMode.Open);
            file.SetLength(10_000);
        }

        await OpenAsync(new FileSystem());

        Assert.Equal(
            [(QuarantineReason.Truncated, 1), (QuarantineReason.Truncated, 2), (QuarantineReason.Truncated, 3)],
            _cache.GetQuarantine().Select(record => (record.Reason, record.Segment)));
        Assert.Equal(3, _log.Count(CorruptEvent));
        Assert.All(cut, path => Assert.False(File.Exists(path)));
        await ReadAllAsync([.. Enumerable.Range(0, KeyCount).Where(i => !left.Contains(MarkOf(i), StringComparison.Ordinal))]);
    }

    // Seen to fail when a quarantine that failed was thrown: then the read was a fault of the disk.
    [Fact]
    public async Task A_quarantine_that_cannot_be_written_is_counted_and_costs_nothing_else()
    {
        await _cache.DisposeAsync();
        var damaged = DamageOneIn(SegmentPaths[..3]);
        await OpenAsync(_files);
        var fault = _files.Fail(FileOperation.Open, "quarantine");
        var told = _log.NextAsync(27);

        await ReadAllAsync(damaged);

        await told;
        Assert.Equal(1, _log.Count(27));
        var status = _cache.GetStatus();
        Assert.Equal((3, 0, 3, 0), (status.CorruptionErrors, status.QuarantinedRecords, status.QuarantineErrors, status.DiskErrors));
        Assert.Equal(3, _cache.GetQuarantine().Count(record => record is { FileName: null, KeptBytes: 0 }));
        fault.Heal();
        int later = DamageOneIn(SegmentPaths[3..4])[0];
        Assert.Null(await _cache.GetAsync(KeyOf(later), TestContext.Current.CancellationToken));
        Assert.NotNull(_cache.GetQuarantine()[^1].FileName);
    }

    // Seen to fail when listing took the lock of those who write.
    [Fact]
    public async Task Listing_waits_for_no_disk()
    {
        await _cache.DisposeAsync();
        var damaged = DamageOneIn(SegmentPaths[..2]);
        await OpenAsync(_files);
        Assert.Null(await _cache.GetAsync(KeyOf(damaged[0]), TestContext.Current.CancellationToken));
        var gate = _files.Hold(FileOperation.Write, "quarantine");
        var read = _cache.GetAsync(KeyOf(damaged[1]), TestContext.Current.CancellationToken);
        await gate.Reached;

        // On another thread, so that a list that waits fails here instead of hanging.
        Assert.Single(await Task.Run(_cache.GetQuarantine).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));

        gate.Open();
        Assert.Null(await read);
        Assert.Equal(2, _cache.GetQuarantine().Count);
    }

    private static string KeyOf(int i) => $"key {i}";

    private static string MarkOf(int i) => string.Create(CultureInfo.InvariantCulture, $"<value {i}>");

    private static byte[] ValueOf(int i) => Encoding.ASCII.GetBytes(MarkOf(i).PadRight(ValueBytes, (char)('a' + (i % 26))));

    private static int KeyIn(string path)
    {
        string text = Encoding.Latin1.GetString(ReadShared(path));
        return Enumerable.Range(0, KeyCount).First(i => text.Contains(MarkOf(i), StringComparison.Ordinal));
    }

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Flips a byte in the first value of each file; returns whose values those were.</summary>
    private static int[] DamageOneIn(string[] paths)
    {
        var damaged = new List<int>();
        foreach (string path in paths)
        {
            int key = KeyIn(path);
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            file.Position = ReadShared(path).AsSpan().IndexOf(Encoding.ASCII.GetBytes(MarkOf(key)));
            file.WriteByte(0);
            damaged.Add(key);
        }

        return [.. damaged];
    }

    /// <summary>Reads every key, all at once.</summary>
    private async Task ReadAllAsync(int[] missing)
    {
        byte[]?[] found = await Task.WhenAll(
            Enumerable.Range(0, KeyCount).Select(i => _cache.GetAsync(KeyOf(i), TestContext.Current.CancellationToken)));
        for (int i = 0; i < KeyCount; i++)
        {
            Assert.Equal(missing.Contains(i) ? null : ValueOf(i), found[i]);
        }
    }

    private async Task OpenAsync(IFileSystem fileSystem)
    {
        var options = new DiskDistributedCacheOptions
        {
            Directory = _directory.Path,
            SegmentBytes = 64 << 10,
            MaxDiskBytes = 16 << 20,
            MaxMemoryBytes = 0,
            MinFreeDiskBytes = 0,
            IoTimeout = TimeSpan.FromMinutes(1),
            BreakDuration = TimeSpan.FromHours(1),

            // Three corrupt segments in a row open the breaker, and this is not about that.
            FailureThreshold = 100,
        };
        _cache = new DiskCache(options, fileSystem, _time, _log);
        await _cache.StartAsync();
    }
}
