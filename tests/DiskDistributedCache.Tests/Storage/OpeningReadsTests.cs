using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>What an opening makes of segments that the disk does not give at all.</summary>
public sealed class OpeningReadsTests : IDisposable
{
    private const int TooManyFiles = 24;

    private readonly StoreScene _scene = new StoreScene().Open();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public void A_segment_that_cannot_be_opened_ends_an_opening_that_is_not_the_last_and_costs_nothing()
    {
        var names = CloseWithThree();
        _scene.Files.Fail(FileOperation.Open, names[1], times: 1);

        Assert.Throws<UnreadableException>(() => _scene.Open());
        _scene.Open();

        Assert.Equal(["v", "v", "v"], ReadThree());
    }

    [Theory]
    [InlineData(0, false, new[] { null, "v", "v" })]
    [InlineData(1, false, new[] { null, null, "v" })]
    [InlineData(2, false, new string?[] { null, null, null })]
    [InlineData(0, true, new[] { null, "v", "v" })]
    [InlineData(1, true, new[] { null, null, "v" })]
    [InlineData(2, true, new string?[] { null, null, null })]
    public void At_the_last_try_it_is_a_hole(int which, bool isKilled, string?[] left)
    {
        var names = isKilled ? KillWithThree() : CloseWithThree();
        long last = _scene.SegmentNumber;
        _scene.Files.Fail(FileOperation.Open, names[which], times: 1);

        _scene.Open(isLastTry: true);

        Assert.Equal(left, ReadThree());
        Assert.DoesNotContain(_scene.SegmentFiles, file => file.Name == names[which]);
        Assert.Single(_scene.Tiers.Faults);
        _scene.Set("new", "v");
        Assert.True(_scene.SegmentNumber > last);
        _scene.ReopenClosed();
        Assert.Equal([.. left, "v"], [.. ReadThree(), _scene.Read("new")]);
    }

    // Seen to fail when it was left where it was: then it was a hole at each start, before which nothing could be that is worth keeping.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Where_it_cannot_be_erased_either_a_new_store_is_begun_once(int which)
    {
        string[] names = [.. KillWithThree(), Begin()];
        string path = Path.Combine(StoreFolder, names[which]);
        _scene.Files.Fail(FileOperation.Open, path);
        _scene.Files.Fail(FileOperation.Delete, path);

        _scene.Open(isLastTry: true);

        Assert.True(_scene.Store.Report.IsNew);
        Assert.Equal([null, null, null], ReadThree());
        _scene.Set("new", "v");
        _scene.ReopenClosed();
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when it was a hole, and when the log went on behind its number: then a gap was one at the start after the next.
    [Fact]
    public void Nothing_is_lost_by_one_that_was_begun_and_not_used_yet()
    {
        KillWithThree();
        _scene.Files.Fail(FileOperation.Open, Begin(), times: 1);

        _scene.Open(isLastTry: true);
        _scene.FillSegments(1);
        _scene.Set("new", "v");
        _scene.ReopenClosed();

        Assert.Equal(["v", "v", "v", "v"], [.. ReadThree(), _scene.Read("new")]);
        Assert.Equal(0, _scene.Store.Report.Holes);
    }

    // Seen to fail when a list of the segments that was not to be had was an empty one.
    [Fact]
    public void A_list_of_segments_that_is_not_to_be_had_ends_an_opening_that_is_not_the_last_and_else_begins_a_new_store()
    {
        CloseWithThree();
        _scene.Files.Fail(FileOperation.List, StoreFolder, times: 2);

        Assert.Throws<UnreadableException>(() => _scene.Open());
        _scene.Open(isLastTry: true);

        Assert.True(_scene.Store.Report.IsNew);
        Assert.Equal([null, null, null], ReadThree());
    }

    // Seen to fail when it was a fault of the disk as any other: then all that was on disk was forgotten.
    [Fact]
    public void A_process_that_is_out_of_handles_forgets_nothing_at_the_last_try_either()
    {
        var names = CloseWithThree();
        _scene.Files.Fail(FileOperation.Open, names[0], times: 1, exception: () => new IOException("Too many open files.", TooManyFiles));

        var thrown = Assert.ThrowsAny<IOException>(() => _scene.Open(isLastTry: true));

        Assert.IsNotType<UnreadableException>(thrown);
        _scene.Open();
        Assert.Equal(["v", "v", "v"], ReadThree());
    }

    private string StoreFolder => Path.GetFileName(_scene.SegmentFiles[0].DirectoryName!);

    /// <summary>A segment that is there and that the superblock does not name.</summary>
    private string Begin()
    {
        string name = $"{_scene.SegmentNumber + 1:x16}.seg";
        File.WriteAllBytes(Path.Combine(_scene.SegmentFiles[0].DirectoryName!, name), []);
        return name;
    }

    /// <summary>A clean store with a value in each of three segments, and the names of these.</summary>
    private string[] CloseWithThree()
    {
        string[] names = WriteThree();
        _scene.Close();
        return names;
    }

    private string[] KillWithThree()
    {
        string[] names = WriteThree();
        _scene.Kill();
        return names;
    }

    private string[] WriteThree() => [.. Enumerable.Range(0, 3).Select(Write)];

    private string Write(int number)
    {
        if (number > 0)
        {
            _scene.FillSegments(1);
        }

        _scene.Set($"key {number}", "v");
        return _scene.SegmentFiles[^1].Name;
    }

    private string?[] ReadThree() => [.. Enumerable.Range(0, 3).Select(number => _scene.Read($"key {number}"))];
}
