using System.Collections.Concurrent;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Tests.Infrastructure;
using DiskDistributedCache.Tests.Storage;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>
/// Bits, sectors and whole files of a small store that are not what was written: flipped, zeroed, overwritten with garbage, with what belongs
/// elsewhere or with what was there before; cut, missing, from another store. The store is opened and read: never anything but the truth, and
/// all of it that the table in <c>docs/format.md</c> does not give away.
///
/// From the nightly scale on the first cases are every bit of a store that was closed and of one whose process was killed; the zeros behind the
/// records of its active segment, and of a spare, are thinned out. All other cases are drawn.
/// </summary>
internal sealed class Flips : Family
{
    /// <summary>One in so many images is also closed, changed, killed and opened again.</summary>
    private const int LongLife = 16;

    private readonly ConcurrentBag<ScratchDirectory> _directories = [];

    public override string Name => "flips";

    public override string What =>
        "bits, sectors and files of a small store damaged in every way; opened and read, and never more forgotten than docs/format.md allows";

    public override string Unit => "images";

    public override Counts Counts => new(4_000, 500_000, 3_000_000);

    public override double CaseMilliseconds => 1;

    public override async Task RunAsync(FamilyRun run)
    {
        DamageMaker[] makers =
        [
            .. Enum.GetValues<Ending>().Select(ending => new DamageMaker(ending, isAligned: false)),
            new DamageMaker(Ending.Clean, isAligned: true),
            new DamageMaker(Ending.Killed, isAligned: true),
        ];
        int[] everyBitOf = run.Scale == Scale.Pr ? [] : [makers[0].BitCount, makers[1].BitCount];
        var tally = new Tally();
        await run.ForEachCaseAsync(one =>
        {
            var random = one.NewRandom();
            int bit = one.Number;
            int which = 0;
            for (; which < everyBitOf.Length && bit >= everyBitOf[which]; which++)
            {
                bit -= everyBitOf[which];
            }

            bool isBit = which < everyBitOf.Length;
            var maker = isBit ? makers[which] : makers[random.Next(makers.Length)];
            var (kind, damage) = isBit ? ("every bit", maker.Bit(bit)) : maker.Draw(random);
            Check(one, maker.History, damage, kind, tally);
            return Task.CompletedTask;
        });
        foreach (var directory in _directories)
        {
            directory.Dispose();
        }

        run.Note(tally.ToString("kind of damage", "images"));
        run.Note($"\nBits of the store that was closed: {makers[0].BitCount:N0}; of the one whose process was killed: {makers[1].BitCount:N0}.");
    }

    private void Check(Case one, StoreHistory history, Damage damage, string kind, Tally tally)
    {
        if (!_directories.TryTake(out var directory))
        {
            directory = new ScratchDirectory();
        }

        int hitCount = 0;
        var violations = DamagedStore.CheckOnce(directory.Path, history, damage, ref hitCount);
        if (one.Number % LongLife == 0)
        {
            violations.AddRange(DamagedStore.Check(directory.Path, history, damage));
        }

        _directories.Add(directory);
        tally.Count(kind, ("keys served", hitCount), ("keys that had to be", damage.Served.Count), ("looked unwritten", damage.Unwritten is null ? 0 : 1));
        if (violations.Count > 0)
        {
            one.Violate($"{history.Ending}: {damage.What}: {string.Join("; ", violations)}", folder =>
            {
                damage.Image.WriteTo(folder);
                history.Image.WriteTo(Directory.CreateDirectory(Path.Combine(folder, "undamaged")).FullName);
            });
        }
    }
}
