using DiskDistributedCache.Testing;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// A process that is killed while it appends leaves a prefix of what it wrote and zeros behind it. Wherever that prefix ends: what
/// was acknowledged before is served, what was dead stays dead, and the mutation itself has happened or has not.
/// </summary>
public sealed class TornWriteTests
{
    public static TheoryData<string> LastMutations => ["set", "overwrite", "remove", "evict", "clear", "touch"];

    [Theory]
    [MemberData(nameof(LastMutations))]
    public void A_write_that_was_cut_anywhere_costs_only_itself(string mutation)
    {
        var (before, after, afterModel) = Append(mutation, out var beforeModel, out var now);
        string path = new StoreLayout(after).Segments[^1].Path;
        int from = before[path].AsSpan().CommonPrefixLength(after[path]);
        int to = after[path].AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        Assert.True(to - from > 8);

        using var directory = new ScratchDirectory();
        for (int cut = from; cut <= to; cut++)
        {
            after.Zeroed(path, cut).WriteTo(directory.Path);
            for (int restart = 0; restart < 3; restart++)
            {
                using var session = new StoreSession(directory.Path, StoreHistory.TimeAt(now), afterModel);
                bool isDone = Matches(session, afterModel);
                Assert.True(isDone || Matches(session, beforeModel), $"{mutation} cut to {cut - from} bytes, start {restart}");
                Assert.True(isDone || cut < to, "A write that was complete is lost.");
                if (restart == 1)
                {
                    session.Close();
                }
            }
        }
    }

    /// <summary>
    /// Over what was torn the next process writes the footer, and may be killed too. Then what is there is neither the record that was torn nor
    /// the beginning of a footer with nothing behind it, unless what was torn has been wiped before.
    /// </summary>
    [Theory]
    [InlineData(40)]
    [InlineData(300)]
    [InlineData(2900)]
    public void A_process_that_is_killed_while_it_recovers_from_a_torn_write_costs_nothing_more(int tornBytes)
    {
        var (before, after, afterModel) = Append("set large", out var beforeModel, out var now);
        string path = new StoreLayout(after).Segments[^1].Path;
        int from = before[path].AsSpan().CommonPrefixLength(after[path]);
        using var torn = new ScratchDirectory();
        after.Zeroed(path, from + tornBytes).WriteTo(torn.Path);
        var files = new FaultInjectingFileSystem();
        using var recording = files.RecordWrites(torn.Path);
        using (new StoreSession(torn.Path, StoreHistory.TimeAt(now), afterModel, files))
        {
        }

        Assert.Contains(recording.Changes, change => change.Bytes.Length > 8 && change.Path.EndsWith(path, StringComparison.Ordinal));
        for (int call = 0; call <= recording.Changes.Count; call++)
        {
            // A slot of the superblock that is half written costs the store: nobody vouches for it.
            bool isSegment = call < recording.Changes.Count && recording.Changes[call].Path.EndsWith(".seg", StringComparison.Ordinal);
            for (int bytes = 0; bytes <= (isSegment ? recording.BytesAfter(call) : 0); bytes += bytes < 128 ? 1 : 61)
            {
                using var directory = new ScratchDirectory();
                recording.ImageAfter(call, bytes).WriteTo(directory.Path);
                using var session = new StoreSession(directory.Path, StoreHistory.TimeAt(now), beforeModel);
                Assert.True(Matches(session, beforeModel), $"killed after {bytes} bytes of call {call + 1}");
            }
        }
    }

    private static bool Matches(StoreSession session, CacheModel model) => model.EveryKey.All(key =>
        model.ValueOf(key, session.NowTicks) is var expected && session.Get(key) is var found
        && (expected is null ? found is null : found is not null && found.AsSpan().SequenceEqual(expected)));

    private static (StoreImage Before, StoreImage After, CacheModel AfterModel) Append(
        string mutation, out CacheModel beforeModel, out DateTimeOffset now)
    {
        var history = StoreHistory.EndingAs(Ending.Clean);
        now = history.Now;
        using var directory = new ScratchDirectory();
        history.Image.WriteTo(directory.Path);
        using var session = new StoreSession(directory.Path, StoreHistory.TimeAt(now), history.Model);
        session.Set(StoreHistory.Data("first"), StoreHistory.Bytes("first of its segment"), ["t"], sliding: TimeSpan.FromHours(1));
        session.Remove(StoreHistory.Data("m"));
        beforeModel = session.Acknowledged;
        var before = StoreImage.Take(directory.Path);
        switch (mutation)
        {
            case "set":
                session.Set(StoreHistory.Output("torn"), StoreHistory.Bytes("a value of its own"), ["t", "u"]);
                break;
            case "set large":
                session.Set(StoreHistory.Output("torn"), StoreHistory.Bytes(new string('v', 3000)), ["t", "u"]);
                break;
            case "overwrite":
                session.Set(StoreHistory.A, StoreHistory.Bytes("a new"));
                break;
            case "remove":
                session.Remove(StoreHistory.A);
                break;
            case "evict":
                session.EvictByTag("t");
                break;
            case "clear":
                session.Clear();
                break;
            default:
                session.Touch(StoreHistory.Data("first"), TimeSpan.FromHours(2));
                break;
        }

        // Whether a touch has happened shows when the first window has passed.
        now += mutation == "touch" ? TimeSpan.FromMinutes(90) : TimeSpan.Zero;
        var after = StoreImage.Take(directory.Path);
        return (before, mutation == "clear" ? WithErased(before, after) : after, session.Acknowledged);
    }

    /// <summary>A clear erases segments once it is in the log; while it is being written they are still there.</summary>
    private static StoreImage WithErased(StoreImage before, StoreImage after) =>
        before.Paths.Except(after.Paths).Aggregate(after, (image, path) => image.With(path, before[path]));
}
