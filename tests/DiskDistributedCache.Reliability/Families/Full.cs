using System.Globalization;
using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Harness;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Small file systems that others fill up and give free again, while a cache works on them: by bytes and by inodes, in memory and on
/// ext4; and an ext4 whose own file cannot grow any more, so that writes are accepted and their sync fails. What is read is right all the time, memory
/// serves, the cache recovers by itself, and what it stores then is there after a restart.
/// </summary>
internal sealed class Full : Family
{
    public override string Name => "full";

    public override string What => "small tmpfs and ext4 filled by others and freed, by bytes and by inodes; ext4 whose sync fails because its own file cannot grow";

    public override string Unit => "oscillations";

    /// <summary>A fifth of them of each kind.</summary>
    public override Counts Counts => new(5, 500, 5_000);

    public override double CaseMilliseconds => 300;

    public override async Task RunAsync(FamilyRun run)
    {
        if (PrivateMounts.Lack is { } lack)
        {
            run.Skip(lack);
            return;
        }

        try
        {
            await (await SmallDisk.NewAsync(SmallDiskKind.BytesOfExt4)).DisposeAsync();
        }
        catch (InvalidOperationException exception)
        {
            run.Skip($"no ext4 may be mounted here ({exception.Message.ReplaceLineEndings(" ").Trim()})");
            return;
        }

        var kinds = Enum.GetValues<SmallDiskKind>();
        var figures = new FullDiskFigures[kinds.Length];
        int oscillations = Math.Max(1, run.Count / kinds.Length);
        await run.ForEachChainAsync(oscillations, async (chain, count) =>
        {
            int kind = chain.Number / oscillations % kinds.Length;
            await using var disk = await SmallDisk.NewAsync(kinds[kind]);
            await using var scene = new FullDiskScene(disk, chain.NewRandom());
            figures[kind] = scene.Figures;
            for (int i = 0; i < count && !run.IsEnough; i++)
            {
                if (await scene.OscillateAsync() is { } wrong)
                {
                    chain.Violate($"{kinds[kind]}, oscillation {i}: {wrong}", scene.Keep);
                    return;
                }

                run.Progress();
            }
        });
        foreach (var (kind, figure) in kinds.Zip(figures).Where(pair => pair.Second is not null))
        {
            run.Note(string.Create(CultureInfo.InvariantCulture, $"- {kind}: {figure}"));
            if (figure.Kept * 2 < figure.Stored)
            {
                run.Violate($"{kind}: too little of what is stored after a recovery is kept: {figure}");
            }
        }
    }
}
