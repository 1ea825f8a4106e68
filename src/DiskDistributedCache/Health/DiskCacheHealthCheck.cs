using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace DiskDistributedCache.Health;

/// <summary>
/// Tells what the cache does with its disk. It reads the status and touches no file: the disk is probed by the cache itself, at its own
/// pace, and a check that hangs with the disk would be of no use.
/// </summary>
/// <param name="status">The present status.</param>
/// <param name="failureStatus">What is reported while the disk is not used; null for the status that fits.</param>
internal sealed class DiskCacheHealthCheck(Func<DiskCacheStatus> status, HealthStatus? failureStatus) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(ResultOf(status(), failureStatus));

    /// <summary>
    /// A cache without its disk still answers, so it is degraded. A closed one does not. Either becomes
    /// <paramref name="failureStatus"/> where that is given. A disk in use whose probe went wrong is degraded, whatever is given.
    /// </summary>
    public static HealthCheckResult ResultOf(DiskCacheStatus status, HealthStatus? failureStatus)
    {
        var health = status.Mode switch
        {
            DiskCacheMode.Normal => HasBadProbe(status) ? HealthStatus.Degraded : HealthStatus.Healthy,
            DiskCacheMode.Closed => failureStatus ?? HealthStatus.Unhealthy,
            _ => failureStatus ?? HealthStatus.Degraded,
        };
        return new HealthCheckResult(health, Describe(status), exception: null, NumbersOf(status));
    }

    private static bool HasBadProbe(DiskCacheStatus status) =>
        status.DiskHealth is DiskHealthState.Degraded or DiskHealthState.Unhealthy;

    private static string Describe(DiskCacheStatus status)
    {
        string mode = string.Create(CultureInfo.InvariantCulture, $"{status.Mode} since {status.Since:u}");
        if (status.Mode == DiskCacheMode.Normal && !HasBadProbe(status))
        {
            return mode;
        }

        string probe = status.Mode == DiskCacheMode.Normal ? $"; the disk is {status.DiskHealth}" : "";
        string reason = (status.Reason ?? status.LastFault) is { } text ? $": {text}" : "";
        return mode + probe + reason;
    }

    private static Dictionary<string, object> NumbersOf(DiskCacheStatus status)
    {
        var numbers = new Dictionary<string, object>
        {
            ["mode"] = status.Mode.ToString(),
            ["since"] = status.Since,
            ["diskHealth"] = status.DiskHealth.ToString(),
            ["entries"] = status.Entries,
            ["diskBytes"] = status.DiskBytes,
            ["memoryBytes"] = status.MemoryBytes,
            ["memoryHits"] = status.MemoryHits,
            ["diskHits"] = status.DiskHits,
            ["misses"] = status.Misses,
            ["diskErrors"] = status.DiskErrors,
            ["corruptionErrors"] = status.CorruptionErrors,
            ["quarantinedRecords"] = status.QuarantinedRecords,
            ["owedWrites"] = status.OwedWrites,
            ["oversizedEntries"] = status.OversizedEntries,
        };
        if (status.Reason is { } reason)
        {
            numbers["reason"] = reason;
        }

        if (status.LastFault is { } fault)
        {
            numbers["lastFault"] = fault;
        }

        return numbers;
    }
}
