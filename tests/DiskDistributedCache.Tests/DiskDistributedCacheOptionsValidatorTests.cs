using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Tests;

public sealed class DiskDistributedCacheOptionsValidatorTests
{
    private static readonly Dictionary<string, (Action<DiskDistributedCacheOptions> Set, string Value, string Fix)> s_mistakes = new()
    {
        ["no Directory"] = (o => o.Directory = null, "Directory is not set", "Set Directory to a folder"),
        ["blank Directory"] = (o => o.Directory = " ", "Directory is ' '", "Set it to a folder"),
        ["NUL in Directory"] = (o => o.Directory = "a\0b", "Directory is 'a\\0b'", "Take it out"),
        ["little MaxDiskBytes"] = (o => o.MaxDiskBytes = 1_048_575, "MaxDiskBytes is 1048575", "at least 1048576 bytes"),
        ["negative MaxMemoryBytes"] = (o => o.MaxMemoryBytes = -1, "MaxMemoryBytes is -1", "at least 0 bytes"),
        ["no MaxEntryBytes"] = (o => o.MaxEntryBytes = 0, "MaxEntryBytes is 0", "at least 1 bytes"),
        ["much MaxEntryBytes"] = (o => o.MaxEntryBytes = (1L << 30) + 1, "MaxEntryBytes is 1073741825", "at most 1073741824 bytes"),
        ["little SegmentBytes"] = (o => o.SegmentBytes = 65_535, "SegmentBytes is 65535", "at least 65536 bytes"),
        ["much SegmentBytes"] = (o => o.SegmentBytes = 1_073_741_825, "SegmentBytes is 1073741825", "at most 1073741824 bytes"),
        ["no MaxEntries"] = (o => o.MaxEntries = 0, "MaxEntries is 0", "at least 1 entries"),
        ["negative MaxQuarantineBytes"] = (o => o.MaxQuarantineBytes = -5, "MaxQuarantineBytes is -5", "at least 0 bytes"),
        ["unknown Compression"] = (o => o.Compression = (DiskCacheCompression)9, "Compression is 9", "Set it to None or GZip or Brotli"),
        ["negative CompressionThresholdBytes"] = (
            o => o.CompressionThresholdBytes = -1, "CompressionThresholdBytes is -1", "at least 0 bytes"),
        ["no IoTimeout"] = (o => o.IoTimeout = TimeSpan.Zero, "IoTimeout is 00:00:00", "at least 00:00:00.0010000"),
        ["endless IoTimeout"] = (o => o.IoTimeout = Timeout.InfiniteTimeSpan, "IoTimeout is -00:00:00.0010000", "at least 00:00:00.0010000"),
        ["long IoTimeout"] = (o => o.IoTimeout = TimeSpan.FromHours(1), "IoTimeout is 01:00:00", "at most 00:01:00"),
        ["short HeartbeatInterval"] = (o => o.HeartbeatInterval = TimeSpan.FromTicks(1), "HeartbeatInterval is 00:00:00.0000001", "at least 00:00:00.1"),
        ["long HeartbeatInterval"] = (o => o.HeartbeatInterval = TimeSpan.MaxValue, "HeartbeatInterval is 10675199", "at most 1.00:00:00"),
        ["negative MinFreeDiskBytes"] = (o => o.MinFreeDiskBytes = -1, "MinFreeDiskBytes is -1", "at least 0 bytes"),
        ["little MemoryOnlyMaxMemoryBytes"] = (
            o => (o.MaxMemoryBytes, o.MemoryOnlyMaxMemoryBytes) = (1000, 999), "MemoryOnlyMaxMemoryBytes is 999", "at least 1000 bytes"),
        ["FailureThreshold of one"] = (o => o.FailureThreshold = 1, "FailureThreshold is 1", "at least 2 failures"),
        ["short BreakDuration"] = (o => o.BreakDuration = TimeSpan.FromMilliseconds(499), "BreakDuration is 00:00:00.4990000", "at least 00:00:00.5"),
        ["IoTimeout as long as BreakDuration"] = (
            o => (o.IoTimeout, o.BreakDuration) = (TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30)),
            "IoTimeout is 00:00:30 and BreakDuration is 00:00:30",
            "IoTimeout to less than BreakDuration"),
        ["no MemoryOnlyThreshold"] = (o => o.MemoryOnlyThreshold = 0, "MemoryOnlyThreshold is 0", "at least 1 errors"),
        ["short HealthCheckInterval"] = (o => o.HealthCheckInterval = TimeSpan.Zero, "HealthCheckInterval is 00:00:00", "at least 00:00:01"),
        ["long RecoveryInterval"] = (o => o.RecoveryInterval = TimeSpan.FromDays(2), "RecoveryInterval is 2.00:00:00", "at most 1.00:00:00"),
        ["blank WitnessDirectory"] = (o => o.WitnessDirectory = "", "WitnessDirectory is ''", "leave it out"),
        ["WitnessDirectory with a NUL"] = (o => o.WitnessDirectory = "/a\0b", "WitnessDirectory is '/a\\0b'", "U+0000 at position 2"),
        ["no SavedUnit"] = (o => o.SavedUnit = "", "SavedUnit is ''", "1 to 63 characters"),
        ["SavedUnit with white space"] = (o => o.SavedUnit = "ms each", "SavedUnit is 'ms each'", "without white space"),
        ["long SavedUnit"] = (o => o.SavedUnit = new string('u', 64), "SavedUnit is 'uuu", "1 to 63 characters"),
        ["many segments"] = (
            o => (o.MaxDiskBytes, o.SegmentBytes) = (1L << 30, 1 << 17),
            "MaxDiskBytes is 1073741824 and SegmentBytes is 131072",
            "SegmentBytes to at least 262144, or MaxDiskBytes to at most 536870912"),
        ["one byte more than most segments hold"] = (
            o => (o.MaxDiskBytes, o.SegmentBytes) = ((256L << 20) + 1, 64 << 10),
            "MaxDiskBytes is 268435457 and SegmentBytes is 65536",
            "SegmentBytes to at least 65537, or MaxDiskBytes to at most 268435456"),
        ["more disk than the largest segments make"] = (
            o => (o.MaxDiskBytes, o.SegmentBytes) = (long.MaxValue, 1 << 30),
            "MaxDiskBytes is 9223372036854775807",
            "MaxDiskBytes to at most 4398046511104"),
        ["no limit at all with the segments of the defaults"] = (
            o => o.MaxDiskBytes = long.MaxValue,
            "MaxDiskBytes is 9223372036854775807",
            "MaxDiskBytes to at most 4398046511104, and SegmentBytes to 1073741824"),
    };

    public static TheoryData<string> Mistakes => [.. s_mistakes.Keys];

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_reported_with_setting_value_and_fix(string name)
    {
        var (set, value, fix) = s_mistakes[name];
        var options = Valid();
        set(options);

        var result = Validate(options);

        string message = Assert.Single(result.Failures ?? []);
        Assert.Contains(value, message, StringComparison.Ordinal);
        Assert.Contains(fix, message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_defaults_and_the_ends_of_the_ranges_are_right()
    {
        var smallest = new DiskDistributedCacheOptions
        {
            Directory = "relative",
            MaxDiskBytes = 1 << 20,
            MaxMemoryBytes = 0,
            MaxEntryBytes = 1,
            SegmentBytes = 64 << 10,
            MaxEntries = 1,
            MaxQuarantineBytes = 0,
            IoTimeout = TimeSpan.FromMilliseconds(1),
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            MemoryOnlyMaxMemoryBytes = 0,
            MinFreeDiskBytes = 0,
            FailureThreshold = 2,
            BreakDuration = TimeSpan.FromMilliseconds(500),
            MemoryOnlyThreshold = 1,
            HealthCheckInterval = TimeSpan.FromSeconds(1),
            RecoveryInterval = TimeSpan.FromSeconds(1),
        };
        var largest = new DiskDistributedCacheOptions
        {
            Directory = "/somewhere",
            MaxDiskBytes = 4_096L << 30,
            MaxMemoryBytes = long.MaxValue,
            MaxEntryBytes = 1L << 30,
            SegmentBytes = 1 << 30,
            MaxEntries = int.MaxValue,
            MaxQuarantineBytes = long.MaxValue,
            IoTimeout = TimeSpan.FromMinutes(1),
            HeartbeatInterval = TimeSpan.FromDays(1),
            MemoryOnlyMaxMemoryBytes = long.MaxValue,
            MinFreeDiskBytes = long.MaxValue,
            FailureThreshold = 1000,
            BreakDuration = TimeSpan.FromDays(1),
            MemoryOnlyThreshold = int.MaxValue,
            HealthCheckInterval = TimeSpan.FromDays(1),
            RecoveryInterval = TimeSpan.FromDays(1),
        };

        Assert.True(Validate(Valid()).Succeeded);
        Assert.True(Validate(smallest).Succeeded);
        Assert.True(Validate(largest).Succeeded);
    }

    [Fact]
    public void All_mistakes_are_reported_at_once()
    {
        var result = Validate(new DiskDistributedCacheOptions { Directory = "", MaxDiskBytes = 0, MaxEntries = 0 });

        Assert.Equal(3, result.Failures?.Count());
    }

    private static DiskDistributedCacheOptions Valid() => new() { Directory = "/somewhere" };

    private static ValidateOptionsResult Validate(DiskDistributedCacheOptions options) =>
        new DiskDistributedCacheOptionsValidator().Validate(null, options);
}
