using System.Diagnostics;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>
/// What a fuzzer feeds: functions that take any bytes for something that lies on disk, decode it, and throw where that goes wrong. The first
/// byte of an input says how the others are taken; where its lowest bit is set the checksums in them are made right first, or no
/// change would ever get past them.
///
/// What is right: there is no exception; what is allocated is in proportion to the input; what was decoded and is encoded again decodes to
/// the same; what a recovery finds lies in its file and is found again by the next one.
///
/// The family <c>fuzz</c> of the reliability project lets AFL++ look for inputs that take new branches. Those that it kept are in the
/// corpus, which <see cref="FuzzCorpusTests"/> reads again.
/// </summary>
internal static class FuzzTargets
{
    public const byte Repaired = 1;

    /// <summary>A store that is always the same, so that an input means the same in every process.</summary>
    public static Guid StoreId { get; } = new("01020304-0506-0708-090a-0b0c0d0e0f10");

    public static IReadOnlyDictionary<string, Action<byte[]>> All { get; } = new Dictionary<string, Action<byte[]>>
    {
        ["record"] = RecordFuzz.Run,
        ["segment"] = SegmentFuzz.Run,
        ["superblock"] = SuperblockFuzz.Run,
    };

    /// <summary>What is wrong with one input; null when nothing is.</summary>
    public static string? Judge(string target, byte[] input)
    {
        try
        {
            All[target](input);
            return null;
        }
        catch (Exception exception)
        {
            return exception.ToString();
        }
    }

    public static void Require(bool isRight, string what)
    {
        if (!isRight)
        {
            throw new UnreachableException(what);
        }
    }

    /// <summary>Does something and requires that it takes no more memory than this, on this thread.</summary>
    public static void RequireFrugal(long mostBytes, Action act)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        act();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Require(allocated <= mostBytes, $"{allocated} bytes were allocated where {mostBytes} are enough");
    }
}
