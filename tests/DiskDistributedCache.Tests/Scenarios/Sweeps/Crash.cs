using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Storage;

namespace DiskDistributedCache.Tests.Scenarios.Sweeps;

/// <summary>What the next process has shown.</summary>
/// <param name="Violations">What went wrong.</param>
/// <param name="MustBeThere">Whether it had to find all that was acknowledged.</param>
/// <param name="HitCount">How many keys it found.</param>
internal sealed record CrashResult(IReadOnlyList<string> Violations, bool MustBeThere, int HitCount);

/// <summary>One end of a process, or of the power, and what the next process makes of it.</summary>
/// <param name="Moment">What there was outside the folder.</param>
/// <param name="Write">Makes a folder hold what was in it.</param>
internal sealed record Crash(CrashMoment Moment, Action<string> Write)
{
    public required string Name { get; init; }

    /// <summary>Whether the next process has to find all that was acknowledged.</summary>
    public bool MustBeThere { get; init; }

    /// <summary>Which run of the operating system comes next; null for the same one.</summary>
    public Guid? BootId { get; init; }

    /// <summary>Makes a folder hold what was in it, and the folder of witnesses what was there.</summary>
    public void Put(string root)
    {
        Write(root);
        CrashRecording.PutWitness(root, Moment);
    }

    /// <summary>Tells a process that is to find this which run of the operating system it is.</summary>
    public void Restart(SweepProcess process)
    {
        if (BootId is { } bootId)
        {
            process.Files.OverrideText("/proc/sys/kernel/random/boot_id", bootId.ToString());
        }
    }

    /// <summary>The next process opens the store, reads everything and works.</summary>
    public async Task<CrashResult> CheckAsync()
    {
        using var disk = new SweepDisk();
        string root = disk.NewRoot();
        Put(root);
        bool mustBeThere = IsAllThere(root);
        await using var next = new SweepProcess(root, StoreHistory.TimeAt(Moment.Now));
        Restart(next);
        await next.StartAsync();
        var violations = new List<string>();
        int hitCount = 0;
        foreach (string key in SweepProcess.Keys)
        {
            byte[]? found = await next.FindAsync(key);
            hitCount += found is null ? 0 : 1;
            if (Moment.Judge(key, found, next.Cache.Clock.NowTicks, mustBeThere) is { } violation)
            {
                violations.Add($"{Name}: {violation}");
            }
        }

        await next.SetAsync("newer", 500);
        if (await next.FindAsync("newer") is null || next.Cache.GetStatus().Mode != DiskCacheMode.Normal)
        {
            violations.Add($"{Name}: the next process does not work: {next.Cache.GetStatus().Reason}");
        }

        return new CrashResult(violations, mustBeThere, hitCount);
    }

    /// <summary>
    /// Whether what was put into a folder has to be believed. While trust comes back the proof of health is there before the flag is gone.
    /// </summary>
    public bool IsAllThere(string root) => MustBeThere && !(Moment.Stage == CrashRecording.Trusting && IsSuspect(root));

    private static bool IsSuspect(string root)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(root, "diskcache-v1", "superblock"));
        return Enumerable.Range(0, Superblock.SlotCount).Any(slot =>
            Superblock.TryRead(bytes.AsSpan(slot * Superblock.SlotBytes, Superblock.SlotBytes), slot) is { IsSuspect: true });
    }
}
