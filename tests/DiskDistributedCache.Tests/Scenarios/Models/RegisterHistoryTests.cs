using static DiskDistributedCache.Tests.Scenarios.Models.RegisterAct;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>The judge of concurrent histories: what it has to let pass, what it has to find, and that it agrees with a search of all orders.</summary>
public class RegisterHistoryTests
{
    [Fact]
    public void A_read_returns_what_was_set_before()
    {
        AssertRight(Call(Set, 1, 0, 1), Call(Read, 1, 2, 3));
        AssertRight(Call(Set, 1, 0, 1), Call(Set, 2, 2, 3), Call(Read, 2, 4, 5));
    }

    [Fact]
    public void A_read_returns_what_is_being_set()
    {
        AssertRight(Call(Set, 1, 0, 9), Call(Read, 1, 2, 3));
        AssertRight(Call(Set, 1, 0, long.MaxValue), Call(Read, 1, 2, 3));
    }

    [Fact]
    public void A_read_during_a_set_returns_the_one_or_the_other()
    {
        AssertRight(Call(Set, 1, 0, 1), Call(Set, 2, 2, 9), Call(Read, 1, 3, 4), Call(Read, 2, 5, 6));
        AssertWrong(Call(Set, 1, 0, 1), Call(Set, 2, 2, 9), Call(Read, 2, 3, 4), Call(Read, 1, 5, 6));
    }

    [Fact]
    public void A_set_that_never_returned_may_come_at_any_time() =>
        AssertRight(Call(Set, 1, 0, long.MaxValue), Call(Set, 2, 1, 2), Call(Read, 2, 3, 4), Call(Read, 1, 5, 6));

    [Fact]
    public void A_read_must_not_return_what_was_never_set() => AssertWrong(Call(Set, 1, 0, 1), Call(Read, 2, 2, 3));

    [Fact]
    public void A_read_must_not_return_what_is_set_later() => AssertWrong(Call(Read, 1, 0, 1), Call(Set, 1, 2, 3));

    [Fact]
    public void A_read_must_not_return_what_was_overwritten_or_removed()
    {
        AssertWrong(Call(Set, 1, 0, 1), Call(Set, 2, 2, 3), Call(Read, 1, 4, 5));
        AssertWrong(Call(Set, 1, 0, 1), Call(Remove, 0, 2, 3), Call(Read, 1, 4, 5));
    }

    [Fact]
    public void What_was_removed_during_a_set_may_stay_and_may_go()
    {
        AssertRight(Call(Set, 1, 0, 3), Call(Remove, 0, 1, 2), Call(Read, 1, 4, 5));
        AssertRight(Call(Set, 1, 0, 3), Call(Remove, 0, 1, 9), Call(Read, 1, 4, 5));
        AssertWrong(Call(Set, 1, 0, 9), Call(Read, 1, 1, 2), Call(Remove, 0, 3, 4), Call(Read, 1, 5, 6));
    }

    [Fact]
    public void The_eviction_of_a_tag_ends_the_values_that_have_it()
    {
        AssertWrong(Call(Set, 1, 0, 1, "a"), Call(Evict, 0, 2, 3, "a"), Call(Read, 1, 4, 5));
        AssertRight(Call(Set, 1, 0, 1, "b"), Call(Evict, 0, 2, 3, "a"), Call(Read, 1, 4, 5));
    }

    /// <summary>The search is that of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", 1993.</summary>
    [Fact]
    public void The_judge_agrees_with_a_search_of_all_orders()
    {
        var counts = new Dictionary<bool, int>();
        for (int seed = 1; seed <= 20_000; seed++)
        {
            var calls = Draw(new Random(seed));
            bool isRight = CanBeOrdered([.. calls], current: null);
            Assert.True(
                (RegisterHistory.Judge(calls) is null) == isRight,
                $"seed {seed}: a search says {isRight} of {string.Join(", ", calls)}");
            counts[isRight] = counts.GetValueOrDefault(isRight) + 1;
        }

        Assert.True(counts[true] > 2000 && counts[false] > 2000, $"{counts[true]} right and {counts[false]} wrong ones are too few.");
    }

    private static RegisterCall Call(RegisterAct act, int number, long began, long ended, string? tag = null) => new(act, number, tag, began, ended);

    private static void AssertRight(params RegisterCall[] calls) => Assert.Null(RegisterHistory.Judge(calls));

    private static void AssertWrong(params RegisterCall[] calls) => Assert.NotNull(RegisterHistory.Judge(calls));

    /// <summary>A few calls at random moments, some of them for ever.</summary>
    private static List<RegisterCall> Draw(Random random)
    {
        int count = random.Next(3, 8);
        int[] moments = [.. Enumerable.Range(0, 2 * count)];
        random.Shuffle(moments);
        var calls = new List<RegisterCall>();
        int setCount = random.Next(1, 4);
        for (int i = 0; i < count; i++)
        {
            long began = Math.Min(moments[2 * i], moments[(2 * i) + 1]);
            long ended = Math.Max(moments[2 * i], moments[(2 * i) + 1]);
            var act = i < setCount ? Set : random.Next(4) switch { 0 => Remove, 1 => Evict, _ => Read };
            string? tag = act is Set or Evict && random.Next(2) == 0 ? "a" : act == Evict ? "b" : null;
            int number = act == Set ? i + 1 : act == Read ? random.Next(1, setCount + 1) : 0;
            calls.Add(new RegisterCall(act, number, tag, began, act != Read && random.Next(8) == 0 ? long.MaxValue : ended));
        }

        return calls;
    }

    /// <summary>Tries every call that may come next. What never returned need not have happened.</summary>
    private static bool CanBeOrdered(List<RegisterCall> left, RegisterCall? current)
    {
        if (left.All(call => call.Ended == long.MaxValue))
        {
            return true;
        }

        long firstEnd = left.Min(call => call.Ended);
        foreach (var call in left.Where(call => call.Began <= firstEnd).ToArray())
        {
            if (call.Act == Read && call.Number != current?.Number)
            {
                continue;
            }

            var next = call.Act switch
            {
                Set => call,
                Remove => null,
                Evict when current?.Tag == call.Tag => null,
                _ => current,
            };
            List<RegisterCall> rest = [.. left];
            rest.Remove(call);
            if (CanBeOrdered(rest, next))
            {
                return true;
            }
        }

        return false;
    }
}
