using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Fuzzing;

/// <summary>What the fuzzer once found interesting, and what it began with, read again: see <see cref="FuzzTargets"/>.</summary>
public class FuzzCorpusTests
{
    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Whatever_lies_on_disk_is_decoded_or_refused(string target)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Corpus", target);
        byte[][] inputs = [.. FuzzSeeds.Of(target), .. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
        Assert.NotEmpty(inputs);
        string[] wrong = [.. inputs.Select(input => FuzzTargets.Judge(target, input)).OfType<string>()];
        Assert.True(wrong.Length == 0, $"{wrong.Length} of {inputs.Length} inputs:\n{string.Join('\n', wrong.Take(5))}");
    }

    /// <summary>A fuzzer that never gets past the checksums would find nothing: each seed has to decode, as it is and repaired.</summary>
    [Fact]
    public void Every_first_input_is_a_whole_record()
    {
        foreach (byte[] seed in FuzzSeeds.Of("record"))
        {
            byte[] damaged = [.. seed];
            damaged[1 + 24] ^= 1;
            FuzzChecksums.RepairRecord(damaged.AsSpan(1), RecordFuzz.Seed);
            Assert.True(IsWhole(seed) && IsWhole(damaged));
        }
    }

    private static bool IsWhole(byte[] input) =>
        RecordFormat.TryReadHeader(input.AsSpan(1), RecordFuzz.Seed, out var header)
        && RecordFormat.VerifyPayload(input.AsSpan(1), header, RecordFuzz.Seed);
}
