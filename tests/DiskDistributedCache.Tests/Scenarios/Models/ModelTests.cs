namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>
/// A few random sequences and concurrent histories, always the same ones. The family <c>model</c> of the reliability project runs very many,
/// draws them with CsCheck, and reduces what fails.
/// </summary>
public class ModelTests
{
    [Fact]
    public async Task Random_sequences_of_everything_find_what_the_model_says()
    {
        int mustHits = 0;
        for (int seed = 1; seed <= 60; seed++)
        {
            var sequence = ModelSequence.Draw(new Random(seed));
            var result = await ModelRun.RunAsync(sequence);
            Assert.True(result.Violations.Count == 0, $"seed {seed}, {sequence}:\n{string.Join('\n', result.Violations)}");
            mustHits += result.MustHits;
        }

        Assert.True(mustHits > 100, $"Only {mustHits} reads had to be hits.");
    }

    [Fact]
    public void Calls_of_many_threads_can_be_put_into_an_order()
    {
        int hits = 0;
        for (int seed = 1; seed <= 20; seed++)
        {
            var result = ConcurrentRun.Run(seed);
            Assert.True(result.Violations.Count == 0, $"seed {seed}:\n{string.Join('\n', result.Violations)}");
            hits += result.HitCount;
        }

        Assert.True(hits > 100, $"Only {hits} reads were hits.");
    }
}
