using System.Globalization;

namespace DiskDistributedCache.Tests.Scenarios.Models;

/// <summary>What a client did to one key.</summary>
internal enum RegisterAct
{
    Set,

    /// <summary>A read that returned a value. Misses are not taken down: they say nothing.</summary>
    Read,

    /// <summary>The key was removed, or everything cleared.</summary>
    Remove,

    /// <summary>A tag was evicted, which the key's value has or has not.</summary>
    Evict,
}

/// <summary>One call, between the moment before it began and the moment after it returned. No two moments are the same.</summary>
/// <param name="Act">What was done.</param>
/// <param name="Number">The number of the value that was set or read.</param>
/// <param name="Tag">The tag that the value was set with, or the one that was evicted.</param>
/// <param name="Began">The moment before.</param>
/// <param name="Ended">The moment after; <see cref="long.MaxValue"/> when it never returned.</param>
internal sealed record RegisterCall(RegisterAct Act, int Number, string? Tag, long Began, long Ended)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Act}({(Act is RegisterAct.Set or RegisterAct.Read ? Number : "")}{(Tag is null ? "" : $" {Tag}")}) [{Began}, {(Ended == long.MaxValue ? "never" : Ended)}]");
}

/// <summary>
/// Judges whether the calls of several clients on one key can be put into one order, each at a moment between its beginning and its
/// end, in which every read returns what was set last and not removed since: whether the key is linearizable, as a register that may
/// forget at any time. It may, so a miss is always right, and is left out.
///
/// Algorithm: the zones of P. B. Gibbons and E. Korach, "Testing Shared Memories", SIAM Journal on Computing 26(4), 1997, which decide it
/// without a search because no value is set twice. The calls of one value, its set and its reads, are a cluster, which no other value
/// and no removal may come between. From the first end of a call in it to the last beginning the value was surely there: where that is a
/// stretch of time, it is a forward zone. Else the whole cluster may have happened at one moment, somewhere in the stretch between the
/// last beginning and the first end, which is a backward zone. The history is in order exactly if no read ended before its set began, no two
/// forward zones overlap, and no backward zone lies within a forward one. A removal is a cluster of its own, with a backward zone. So is
/// the eviction of a tag, except that it matters to the clusters of values only that have the tag: to the others it may come anywhere.
/// </summary>
internal static class RegisterHistory
{
    /// <summary>What is wrong with the calls on one key; null when nothing is.</summary>
    public static string? Judge(IReadOnlyCollection<RegisterCall> calls)
    {
        var clusters = new Dictionary<int, Cluster>();
        foreach (var set in calls.Where(call => call.Act == RegisterAct.Set))
        {
            clusters.Add(set.Number, new Cluster(set));
        }

        foreach (var read in calls.Where(call => call.Act == RegisterAct.Read))
        {
            if (!clusters.TryGetValue(read.Number, out var cluster))
            {
                return $"{read} returned what was never set";
            }

            if (read.Ended < cluster.Set.Began)
            {
                return $"{read} returned what was set later: {cluster.Set}";
            }

            cluster.Add(read);
        }

        var removals = calls.Where(call => call.Act is RegisterAct.Remove or RegisterAct.Evict).ToArray();
        var forward = clusters.Values.Where(cluster => cluster.IsForward).OrderBy(cluster => cluster.SurelyFrom).ToArray();
        var backward = clusters.Values.Where(cluster => !cluster.IsForward).ToArray();
        return FindOverlap(forward) ?? FindWithin(forward, backward, removals);
    }

    private static string? FindOverlap(Cluster[] forward)
    {
        for (int i = 1; i < forward.Length; i++)
        {
            if (forward[i].SurelyFrom < forward[i - 1].SurelyUntil)
            {
                return $"both were there at the same time: {forward[i - 1]}; {forward[i]}";
            }
        }

        return null;
    }

    private static string? FindWithin(Cluster[] forward, Cluster[] backward, RegisterCall[] removals)
    {
        foreach (var there in forward)
        {
            if (backward.FirstOrDefault(other => there.SurelyFrom < other.SurelyUntil && other.SurelyFrom < there.SurelyUntil) is { } between)
            {
                return $"it was set in the middle of another: {between}; {there}";
            }

            if (removals.FirstOrDefault(call => there.IsEndedBy(call) && there.SurelyFrom < call.Began && call.Ended < there.SurelyUntil) is { } removal)
            {
                return $"it was there before and after {removal}: {there}";
            }
        }

        return null;
    }

    /// <summary>The calls of one value.</summary>
    private sealed class Cluster(RegisterCall set)
    {
        private RegisterCall _first = set;
        private RegisterCall _last = set;

        public RegisterCall Set { get; } = set;

        /// <summary>The first end: by then it has been set.</summary>
        public long SurelyFrom => _first.Ended;

        /// <summary>The last beginning: until then nothing has come after it.</summary>
        public long SurelyUntil => _last.Began;

        public bool IsForward => SurelyFrom < SurelyUntil;

        public void Add(RegisterCall read)
        {
            _first = read.Ended < _first.Ended ? read : _first;
            _last = read.Began > _last.Began ? read : _last;
        }

        public bool IsEndedBy(RegisterCall removal) => removal.Act == RegisterAct.Remove || removal.Tag == Set.Tag;

        public override string ToString() => string.Join(", ", new[] { Set, _first, _last }.Distinct());
    }
}
