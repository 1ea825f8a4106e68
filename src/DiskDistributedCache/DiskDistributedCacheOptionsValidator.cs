using Microsoft.Extensions.Options;

namespace DiskDistributedCache;

/// <summary>
/// Refuses settings that the cache could not work with, before it is used. Every message names the setting, the value that
/// was given and what to do. A sick disk is no mistake in the settings and is not looked at here.
/// </summary>
internal sealed class DiskDistributedCacheOptionsValidator : IValidateOptions<DiskDistributedCacheOptions>
{
    private const int MaxEntryBytes = 1 << 30;
    private const int MinSegmentBytes = 64 << 10;
    private const int MaxSegmentBytes = 1 << 30;
    private const long MinDiskBytes = 1 << 20;
    private const int MaxSegmentCount = 4_096;
    private const int MinSegmentCount = 16;
    private const int MaxUnitChars = 63;

    private static readonly TimeSpan s_minIoTimeout = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_maxIoTimeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan s_minHeartbeatInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_minBreakDuration = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_minLoopInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    public static void ThrowIfInvalid(DiskDistributedCacheOptions options)
    {
        var mistakes = Mistakes(options);
        if (mistakes.Count > 0)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(DiskDistributedCacheOptions), mistakes);
        }
    }

    public ValidateOptionsResult Validate(string? name, DiskDistributedCacheOptions options)
    {
        var mistakes = Mistakes(options);
        if (!string.IsNullOrEmpty(name))
        {
            // They begin with the section in which the setting is; a named cache has one of its own.
            mistakes = mistakes.ConvertAll(
                mistake => DiskCacheRegistration.SectionOf(name) + mistake[DiskDistributedCacheOptions.SectionName.Length..]);
        }

        return mistakes.Count > 0 ? ValidateOptionsResult.Fail(mistakes) : ValidateOptionsResult.Success;
    }

    private static List<string> Mistakes(DiskDistributedCacheOptions options)
    {
        var mistakes = new List<string>();
        CheckDirectory(mistakes, options.Directory);
        Check(mistakes, nameof(options.MaxDiskBytes), options.MaxDiskBytes, MinDiskBytes, long.MaxValue, " bytes");
        Check(mistakes, nameof(options.MaxMemoryBytes), options.MaxMemoryBytes, 0, long.MaxValue, " bytes (0 turns the memory tier off)");
        Check(mistakes, nameof(options.MaxEntryBytes), options.MaxEntryBytes, 1, MaxEntryBytes, " bytes");
        Check(mistakes, nameof(options.SegmentBytes), options.SegmentBytes, MinSegmentBytes, MaxSegmentBytes, " bytes");
        Check(mistakes, nameof(options.MaxEntries), options.MaxEntries, 1, int.MaxValue, " entries");
        Check(mistakes, nameof(options.MaxQuarantineBytes), options.MaxQuarantineBytes, 0, long.MaxValue, " bytes (0 keeps none)");
        Check(mistakes, nameof(options.IoTimeout), options.IoTimeout, s_minIoTimeout, s_maxIoTimeout, "");
        Check(mistakes, nameof(options.HeartbeatInterval), options.HeartbeatInterval, s_minHeartbeatInterval, s_day, "");
        CheckFaultSettings(mistakes, options);
        CheckEntrySettings(mistakes, options);
        CheckSavedUnit(mistakes, options.SavedUnit);
        Check(mistakes, nameof(options.CompressionThresholdBytes), options.CompressionThresholdBytes, 0, int.MaxValue, " bytes");
        if (!Enum.IsDefined(options.Compression))
        {
            mistakes.Add(
                $"DiskDistributedCache: Compression is {options.Compression}, which is no kind of compression. Set it to "
                + $"{string.Join(" or ", Enum.GetNames<DiskCacheCompression>())}.");
        }

        if (mistakes.Count == 0)
        {
            CheckSegmentCount(mistakes, options);
        }

        return mistakes;
    }

    private static void CheckFaultSettings(List<string> mistakes, DiskDistributedCacheOptions options)
    {
        Check(mistakes, nameof(options.MinFreeDiskBytes), options.MinFreeDiskBytes, 0, long.MaxValue, " bytes");
        Check(mistakes, nameof(options.FailureThreshold), options.FailureThreshold, 2, 1000, " failures");
        Check(mistakes, nameof(options.BreakDuration), options.BreakDuration, s_minBreakDuration, s_day, "");
        Check(mistakes, nameof(options.MemoryOnlyThreshold), options.MemoryOnlyThreshold, 1, int.MaxValue, " errors");
        Check(mistakes, nameof(options.HealthCheckInterval), options.HealthCheckInterval, s_minLoopInterval, s_day, "");
        Check(mistakes, nameof(options.RecoveryInterval), options.RecoveryInterval, s_minLoopInterval, s_day, "");
        if (options.MemoryOnlyMaxMemoryBytes is { } bytes)
        {
            Check(mistakes, nameof(options.MemoryOnlyMaxMemoryBytes), bytes, Math.Max(0, options.MaxMemoryBytes), long.MaxValue, " bytes (MaxMemoryBytes)");
        }

        if (options.IoTimeout <= s_maxIoTimeout && options.BreakDuration >= s_minBreakDuration && options.IoTimeout >= options.BreakDuration)
        {
            mistakes.Add(
                $"DiskDistributedCache: IoTimeout is {options.IoTimeout} and BreakDuration is {options.BreakDuration}: an operation has to be "
                + "given up before the disk is tried again. Set IoTimeout to less than BreakDuration.");
        }

        if (options.WitnessDirectory is not { } witness)
        {
            return;
        }

        if (string.IsNullOrWhiteSpace(witness))
        {
            mistakes.Add(
                $"DiskDistributedCache: WitnessDirectory is '{witness}', which names no folder. Set it to a folder outside the file "
                + "system of Directory, or leave it out.");
        }
        else
        {
            CheckPath(mistakes, nameof(options.WitnessDirectory), witness);
        }
    }

    private static void CheckEntrySettings(List<string> mistakes, DiskDistributedCacheOptions options)
    {
        if (!Enum.IsDefined(options.OnUnknown))
        {
            mistakes.Add($"DiskDistributedCache: OnUnknown is {options.OnUnknown}, which is none of its values. Set it to Miss or Throw.");
        }

        CheckLifetime(mistakes, nameof(options.DefaultAbsoluteExpirationRelativeToNow), options.DefaultAbsoluteExpirationRelativeToNow);
        CheckLifetime(mistakes, nameof(options.DefaultSlidingExpiration), options.DefaultSlidingExpiration);
    }

    private static void CheckLifetime(List<string> mistakes, string setting, TimeSpan? lifetime)
    {
        if (lifetime <= TimeSpan.Zero)
        {
            mistakes.Add($"DiskDistributedCache: {setting} is {lifetime}, which is too little. Set it to more than 0, or leave it out.");
        }
    }

    private static void CheckSavedUnit(List<string> mistakes, string? unit)
    {
        if (unit is not { Length: > 0 and <= MaxUnitChars } || unit.Any(char.IsWhiteSpace))
        {
            mistakes.Add(
                $"DiskDistributedCache: SavedUnit is '{unit}', which is no name of a unit. Set it to 1 to {MaxUnitChars} characters without "
                + "white space, or leave it out.");
        }
    }

    private static void CheckDirectory(List<string> mistakes, string? directory)
    {
        if (directory is null)
        {
            mistakes.Add(
                "DiskDistributedCache: Directory is not set, and the user that the application runs as has no home for a "
                + "default one. Set Directory to a folder that only this application uses.");
        }
        else if (string.IsNullOrWhiteSpace(directory))
        {
            mistakes.Add(
                $"DiskDistributedCache: Directory is '{directory}', which names no folder. Set it to a folder that only this "
                + "application uses, or leave it out for a folder under the user's cache directory.");
        }
        else
        {
            CheckPath(mistakes, nameof(DiskDistributedCacheOptions.Directory), directory);
        }
    }

    private static void CheckPath(List<string> mistakes, string setting, string path)
    {
        if (path.AsSpan().IndexOfAny(Path.GetInvalidPathChars()) is var position and >= 0)
        {
            mistakes.Add(
                $"DiskDistributedCache: {setting} is '{path.Replace("\0", "\\0", StringComparison.Ordinal)}', which has the "
                + $"character U+{(int)path[position]:X4} at position {position} that no path may have. Take it out.");
        }
    }

    private static void Check<T>(List<string> mistakes, string setting, T value, T min, T max, string unit)
        where T : IComparable<T>
    {
        if (value.CompareTo(min) < 0)
        {
            mistakes.Add($"DiskDistributedCache: {setting} is {value}, which is too little. Set it to at least {min}{unit}.");
        }
        else if (value.CompareTo(max) > 0)
        {
            mistakes.Add($"DiskDistributedCache: {setting} is {value}, which is too much. Set it to at most {max}{unit}.");
        }
    }

    private static void CheckSegmentCount(List<string> mistakes, DiskDistributedCacheOptions options)
    {
        long segmentBytes = Math.Min(options.SegmentBytes, options.MaxDiskBytes / MinSegmentCount);
        if (options.MaxDiskBytes > segmentBytes * MaxSegmentCount)
        {
            mistakes.Add(Advice(options, ((options.MaxDiskBytes - 1) / MaxSegmentCount) + 1));
        }
    }

    private static string Advice(DiskDistributedCacheOptions options, long neededSegmentBytes)
    {
        long mostDiskBytes = (long)options.SegmentBytes * MaxSegmentCount;
        string tooMany =
            $"DiskDistributedCache: MaxDiskBytes is {options.MaxDiskBytes} and SegmentBytes is {options.SegmentBytes}, which makes "
            + $"more than {MaxSegmentCount} segments. ";
        return neededSegmentBytes <= MaxSegmentBytes
            ? $"{tooMany}Set SegmentBytes to at least {neededSegmentBytes}, or MaxDiskBytes to at most {mostDiskBytes}."
            : $"{tooMany}Set MaxDiskBytes to at most {(long)MaxSegmentBytes * MaxSegmentCount}, and SegmentBytes to {MaxSegmentBytes}.";
    }
}
