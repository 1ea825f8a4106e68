using System.Globalization;
using System.Text;
using DiskDistributedCache.Entries;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>
/// A full disk is no fault: the store stops growing, recycles its oldest segment in place, gives back what others need, grows again when it
/// may, and serves what it has all the while.
/// </summary>
public sealed class DiskFullTests : IDisposable
{
    private const int SegmentBytes = 4 << 10;
    private const int MinFree = 10_000;

    private readonly StoreScene _scene = new();
    private readonly SmallDisk _disk;

    public DiskFullTests()
    {
        _scene.Settings = _scene.Settings with { MinFreeDiskBytes = MinFree };
        _disk = new SmallDisk(_scene.Files, () => _scene.Folder, MinFree + (20 * SegmentBytes));
    }

    public void Dispose() => _scene.Dispose();

    // Seen to fail when the free bytes were not asked for.
    [Fact]
    public void The_store_stops_growing_where_the_rest_has_to_stay_free()
    {
        _scene.Open();
        for (int i = 0; i < 500; i++)
        {
            _scene.Set($"k{i}", new string('v', 500));
            Assert.Equal(new string('v', 500), _scene.Read($"k{i}"));
            Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
        }

        Assert.True(_scene.Store.IsShortOfSpace);
        Assert.InRange(_scene.Store.DiskBytes, 17 * SegmentBytes, 20 * SegmentBytes);
        Assert.InRange(_scene.Store.RecycledSegments, 40, long.MaxValue);
        Assert.Empty(_scene.Tiers.Faults);
    }

    // Seen to fail when the oldest file was unlinked and a new one made: others had taken its bytes.
    [Fact]
    public void The_oldest_segment_keeps_its_bytes_while_it_becomes_the_next_one()
    {
        _scene.Open();
        _scene.FillSegments(30);

        // From now on every byte that is given back is gone.
        long given = 0;
        _scene.Files.Watch(FileOperation.Delete, call => given += new FileInfo(call.Path).Length, "segments");
        long before = _scene.Store.DiskBytes;
        _scene.FillSegments(30);

        Assert.Equal(0, given);
        Assert.InRange(_scene.Store.DiskBytes, before - SegmentBytes, before + SegmentBytes);
    }

    // Seen to fail when the segment was erased from the index only after its bytes had been zeroed.
    [Fact]
    public void Everything_else_is_served_while_the_oldest_segment_is_recycled()
    {
        _scene.Open();
        int calls = 0;
        foreach (var operation in (FileOperation[])[FileOperation.Move, FileOperation.Write, FileOperation.Open, FileOperation.Delete])
        {
            _scene.Files.Watch(operation, _ => calls += AssertIndexIsServed(), "spare.new");
        }

        for (int i = 0; i < 300; i++)
        {
            _scene.Set($"k{i}", $"value of k{i} {new string('v', 500)}");
        }

        Assert.InRange(_scene.Store.RecycledSegments, 10, long.MaxValue);
        Assert.InRange(calls, 100, int.MaxValue);
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
    }

    // Seen to fail when the file was not zeroed: what was behind the last record hid its end mark.
    [Fact]
    public void A_recycled_segment_has_nothing_of_its_earlier_life()
    {
        _scene.Open();
        _scene.Set("old", "a value of the earlier life");
        var where = _scene.Find("old")!.Value;
        while (_scene.Find("old") is not null)
        {
            _scene.Set("filler", new string('f', 500));
        }

        _scene.FillSegments(2);
        _scene.Set("last", "v");

        // The reader who found it in time gets a miss, and nobody's record is corrupt.
        Assert.Equal(ReadOutcome.Miss, _scene.Store.Read(StoreScene.KeyOf("old"), where, out var entry));
        Assert.Null(entry);
        Assert.Equal(0, _scene.Quarantine.CorruptCount);
        Assert.InRange(_scene.Store.RecycledSegments, 1, long.MaxValue);
        byte[] active = File.ReadAllBytes(_scene.SegmentFiles[^1].FullName);
        var last = _scene.Find("last")!.Value;
        int end = (int)last.Offset + last.Length;
        Assert.Equal(-1, active.AsSpan(end).IndexOfAnyExcept((byte)0));
        foreach (string file in Directory.EnumerateFiles(_scene.Folder, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)))
        {
            Assert.Equal(-1, File.ReadAllBytes(file).AsSpan().IndexOf(Encoding.UTF8.GetBytes("a value of the earlier life")));
        }

        _scene.ReopenKilled();
        Assert.Null(_scene.Read("old"));
        Assert.Equal(0, _scene.Store.Report.Holes);
    }

    /// <summary>What strikes which call, and as what.</summary>
    public static TheoryData<string, string, string> Refusals()
    {
        var data = new TheoryData<string, string, string>();
        foreach (string face in (string[])["write", "preallocation", "quota"])
        {
            data.Add("create", "spare.new", face);
        }

        foreach (string face in (string[])["write", "quota"])
        {
            data.Add("header", "spare.new", face);
            data.Add("name", ".seg", face);
            data.Add("length", ".seg", face);
            data.Add("record", ".seg", face);
            data.Add("footer", ".seg", face);
        }

        return data;
    }

    // Seen to fail when the append was not tried again, and when a quota was an error like any other.
    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_disk_that_is_full_at_any_step_refuses_no_mutation(string step, string path, string face)
    {
        _scene.Open();
        _scene.Set("removed", "v");
        _scene.FillSegments(5);
        _scene.Remove("removed");
        int count = 0;
        var fault = _scene.Files.Watch(OperationOf(step), call =>
        {
            // Every third one, so that the steps around it succeed.
            if (Is(step, call) && count++ % 3 == 0)
            {
                throw Exception(face);
            }
        }, path);

        for (int i = 0; i < 100; i++)
        {
            _scene.Set($"k{i}", $"value of k{i} {new string('v', 500)}");
            Assert.Equal($"value of k{i} {new string('v', 500)}", _scene.Read($"k{i}"));
            if (i % 10 == 0)
            {
                // As a probe does, after which growing is tried again.
                _scene.Store.ShrinkToFit();
            }
        }

        Assert.InRange(count, 2, int.MaxValue);
        fault.Heal();
        AssertIndexIsServed();
        int served = _scene.Index.Count;
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("removed"));
        Assert.Equal(0, _scene.Store.Report.Holes);
        Assert.Equal(served, _scene.Index.Count);
        AssertIndexIsServed();
        _scene.ReopenClosed();
        AssertIndexIsServed();
    }

    // Seen to fail when an old file could only be unlinked: there was none to be made in its place. And when the exception of a
    // preallocation, or of a quota, was an error like any other.
    [Theory]
    [InlineData("write")]
    [InlineData("preallocation")]
    [InlineData("quota")]
    public void No_file_can_be_made_although_bytes_are_free_and_the_store_lives_on_with_those_it_has(string face)
    {
        _scene.Open();
        _scene.FillSegments(6);
        _scene.Files.Watch(FileOperation.Open, call =>
        {
            if (!File.Exists(call.Path))
            {
                throw Exception(face);
            }
        }, "segments");

        _scene.FillSegments(50);

        Assert.True(_scene.Store.IsShortOfSpace);
        Assert.InRange(_scene.SegmentFiles.Count, 5, 8);
        AssertIndexIsServed();
        _scene.Files.Heal();
        _scene.Store.ShrinkToFit();
        _scene.FillSegments(10);
        Assert.False(_scene.Store.IsShortOfSpace);
        Assert.InRange(_scene.SegmentFiles.Count, 12, 20);
    }

    // Seen to fail when only what is appended asked for it: what is brought along went to a segment that nobody would have missed.
    [Fact]
    public void Before_anything_is_brought_along_to_a_new_segment_the_superblock_has_its_number()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * SegmentBytes };
        _scene.Open();
        _scene.SetRetained("mark", "v");
        _scene.FillSegments(8);
        _scene.Files.Fail(FileOperation.Write, "superblock", times: 1);
        Assert.Throws<IOException>(() => _scene.FillSegments(1));
        var written = new List<string>();
        _scene.Files.Watch(FileOperation.Write, call => written.Add(Path.GetFileName(call.Path)));
        _disk.LetOthersHave(15 * SegmentBytes);

        _scene.Store.ShrinkToFit();

        Assert.Contains(_scene.SegmentFiles[^1].Name, written);
        Assert.Equal("superblock", written[0]);
    }

    // Seen to fail when it waited for room in the superblock.
    [Fact]
    public void Room_is_given_back_also_where_the_superblock_has_none()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * SegmentBytes };
        _scene.Open();
        _scene.FillSegments(8);
        var full = _scene.Files.Fail(FileOperation.Write, "superblock", error: DiskError.NoSpace);
        Assert.Throws<IOException>(() => _scene.FillSegments(1));
        _disk.LetOthersHave(15 * SegmentBytes);
        int before = _scene.SegmentFiles.Count;

        _scene.Store.ShrinkToFit();

        Assert.InRange(_scene.SegmentFiles.Count, 1, before - 2);
        full.Heal();
        _scene.Set("new", "v");
        _scene.ReopenKilled();
        Assert.Equal("v", _scene.Read("new"));
    }

    // Seen to fail when nothing was given back.
    [Fact]
    public void What_others_need_is_given_back_and_what_they_leave_is_used_again()
    {
        _scene.Settings = _scene.Settings with { MaxDiskBytes = 16 * SegmentBytes };
        _scene.Open();
        _scene.FillSegments(30);
        long full = _scene.Store.DiskBytes;
        Assert.InRange(full, 14 * SegmentBytes, 16 * SegmentBytes);

        for (int i = 0; i < 10; i++)
        {
            _disk.LetOthersHave(15 * SegmentBytes);
            _scene.Store.ShrinkToFit();
            AssertIndexIsServed();
        }

        Assert.True(_scene.Store.IsShortOfSpace);
        Assert.InRange(_disk.FreeBytes, MinFree, MinFree + SegmentBytes);
        Assert.InRange(_scene.Store.DiskBytes, 3 * SegmentBytes, 5 * SegmentBytes);
        _scene.FillSegments(20);
        Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
        _scene.ReopenKilled();
        AssertIndexIsServed();

        _disk.LetOthersHave(0);
        _scene.FillSegments(30);

        Assert.False(_scene.Store.IsShortOfSpace);
        Assert.InRange(_scene.Store.DiskBytes, full - SegmentBytes, 16 * SegmentBytes);
    }

    // Seen to fail when the spare stayed.
    [Fact]
    public void When_others_need_everything_the_newest_segment_is_left_and_goes_on()
    {
        _scene.Open();
        _scene.FillSegments(10);
        for (int i = 0; i < 10; i++)
        {
            _disk.LetOthersHave(long.MaxValue);
            _scene.Store.ShrinkToFit();
        }

        Assert.Single(_scene.SegmentFiles);
        Assert.InRange(_disk.UsedBytes, 1, SegmentBytes);
        AssertIndexIsServed();
        for (int i = 0; i < 50; i++)
        {
            _scene.Set($"k{i}", new string('v', 500));
            Assert.Equal(new string('v', 500), _scene.Read($"k{i}"));
            Assert.InRange(_disk.UsedBytes, 1, SegmentBytes);
        }

        _scene.ReopenKilled();
        Assert.Equal(new string('v', 500), _scene.Read("k49"));
    }

    // Seen to fail when opening did not look.
    [Fact]
    public void A_store_that_is_found_on_a_disk_with_too_little_free_shrinks_and_serves_the_rest()
    {
        _scene.Open();
        _scene.FillSegments(10);
        _scene.Set("newest", "v");
        _scene.Close();
        _disk.LetOthersHave(long.MaxValue);

        _scene.Open();

        Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
        Assert.InRange(_scene.SegmentFiles.Count, 7, 10);
        Assert.Equal("v", _scene.Read("newest"));
        AssertIndexIsServed();
        _scene.FillSegments(10);
        Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
    }

    // Seen to fail when the free bytes were not asked for.
    [Fact]
    public void An_empty_store_on_a_disk_with_too_little_free_makes_no_segment_until_there_is_more()
    {
        _disk.LetOthersHave(_disk.SizeBytes - MinFree);
        _scene.Open();
        var value = _scene.AcceptValue("k", "v");

        var exception = Assert.ThrowsAny<IOException>(() => _scene.Append(value));

        Assert.Equal(FaultKind.Full, Faults.KindOf(exception));
        Assert.Empty(_scene.SegmentFiles);
        Assert.True(_scene.Store.IsShortOfSpace);
        _disk.LetOthersHave(0);
        _scene.Append(value);
        Assert.Equal("v", _scene.Read("k"));
        Assert.False(_scene.Store.IsShortOfSpace);
    }

    // Seen to fail when nothing was appended again.
    [Fact]
    public void What_was_read_is_kept_when_its_segment_is_recycled()
    {
        _scene.Open();
        _scene.Set("used", "v");
        for (int i = 0; i < 300; i++)
        {
            _scene.MarkUsed("used");
            _scene.Set($"k{i}", new string('v', 500));
            Assert.Equal("v", _scene.Read("used"));
        }

        Assert.InRange(_scene.Store.RecycledSegments, 20, long.MaxValue);
        _scene.ReopenKilled();
        Assert.Equal("v", _scene.Read("used"));
    }

    // Seen to fail when the second oldest segment was recycled before the oldest.
    [Fact]
    public void Nothing_dead_returns_after_many_recycled_segments_and_a_kill()
    {
        _scene.Open();
        long recycled = 0;
        for (int i = 0; recycled + _scene.Store.RecycledSegments < 60; i++)
        {
            _scene.Set($"removed {i % 40}", $"old {i}", ["tag"]);
            _scene.Set($"kept {i % 10}", $"v{i}", ["other"]);
            _scene.MarkUsed($"removed {i % 40}");
            _scene.Set("filler", new string('f', 900));
            _scene.Remove($"removed {i % 40}");
            if (i % 10 == 0)
            {
                _scene.Set("evicted", "old", ["evicted"]);
                _scene.MarkUsed("evicted");
                _scene.Evict("evicted");
            }

            if (i % 50 == 0)
            {
                int kept = _scene.Index.Count;
                recycled += _scene.Store.RecycledSegments;
                _scene.ReopenKilled();
                Assert.Equal(kept, _scene.Index.Count);
                Assert.All(Enumerable.Range(0, 40), k => Assert.Null(_scene.Read($"removed {k}")));
                Assert.Null(_scene.Read("evicted"));
                Assert.Equal($"v{i}", _scene.Read($"kept {i % 10}"));
                Assert.Equal(0, _scene.Store.Report.Holes);
            }

            Assert.InRange(i, 0, 5_000);
        }
    }

    // Seen to fail when every segment could be recycled.
    [Fact]
    public void A_segment_with_a_failed_write_is_unlinked_in_its_turn_and_never_recycled()
    {
        _scene.Open();
        _scene.FillSegments(2);
        string broken = _scene.SegmentFiles[^1].Name;
        _scene.Files.Tear(100, broken, times: 1);
        Assert.Throws<IOException>(() => _scene.Set("torn", "v"));
        var ends = new List<string>();
        _scene.Files.Watch(FileOperation.Delete, call => ends.Add("unlinked " + Path.GetFileName(call.Path)));
        _scene.Files.Watch(FileOperation.Move, call => ends.Add(_scene.SegmentFiles[0].Name), "spare.new");

        _scene.FillSegments(30);

        Assert.Contains("unlinked " + broken, ends);
        Assert.DoesNotContain(broken, ends);
        Assert.InRange(ends.Count, 5, int.MaxValue);
    }

    // Seen to fail without the way back to unlinking.
    [Theory]
    [InlineData("rename")]
    [InlineData("open")]
    [InlineData("zero")]
    public void A_segment_that_cannot_be_recycled_is_unlinked(string step)
    {
        _scene.Open();
        _scene.FillSegments(25);
        bool isRecycling = false;
        Strike("rename", FileOperation.Move, isFirst: true);
        Strike("open", FileOperation.Open);
        Strike("zero", FileOperation.Write);
        void Strike(string name, FileOperation operation, bool isFirst = false) => _scene.Files.Watch(operation, _ =>
        {
            isRecycling |= isFirst;
            bool strikes = step == name && isRecycling;
            isRecycling &= !strikes && operation != FileOperation.Write;
            if (strikes)
            {
                throw new IOException("Input/output error", 5);
            }
        }, "spare.new");

        for (int i = 0; i < 100; i++)
        {
            _scene.Set($"k{i}", $"value of k{i} {new string('v', 500)}");
            Assert.InRange(_disk.FreeBytes, MinFree, long.MaxValue);
        }

        Assert.NotEmpty(_scene.Tiers.Faults);
        AssertIndexIsServed();
        _scene.ReopenKilled();
        AssertIndexIsServed();
        Assert.Equal(0, _scene.Store.Report.Holes);
    }

    // Seen to fail when everything was erased for a value that had no room even then.
    [Fact]
    public void A_value_that_the_disk_cannot_hold_costs_nothing_but_its_older_version()
    {
        _scene.Open();
        _scene.FillSegments(4);
        _scene.Set("large", "small yet");
        _disk.LetOthersHave(_disk.SizeBytes - _disk.UsedBytes - MinFree);
        int before = _scene.SegmentFiles.Count;

        var large = _scene.AcceptValue("large", new string('v', 15 * SegmentBytes));
        var next = _scene.AcceptValue("next", "v");
        _scene.Append(large, next);

        Assert.Equal(before, _scene.SegmentFiles.Count);
        Assert.Equal("v", _scene.Read("next"));
        Assert.Null(_scene.Read("large"));
        AssertIndexIsServed();
        _scene.ReopenKilled();
        Assert.Null(_scene.Read("large"));
        Assert.Equal("v", _scene.Read("next"));
    }

    // Seen to fail when what the store gives back was counted only when the file system shows it.
    [Fact]
    public void A_file_system_that_gives_bytes_back_late_costs_no_more_than_one_that_does_so_at_once()
    {
        _scene.Open();
        _scene.FillSegments(12);
        _scene.Files.FreeBytes = 0;
        _scene.Files.Watch(FileOperation.FreeSpace, _ => _scene.Files.FreeBytes = 0);

        _scene.Store.ShrinkToFit();

        Assert.InRange(_scene.SegmentFiles.Count, 8, 11);
    }

    // Seen to fail when the index forgot a segment only after its file had been zeroed.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_disk_that_fills_up_and_empties_a_hundred_times_makes_nothing_wrong(int seed)
    {
        using var root = new ScratchDirectory();
        var files = new FaultyFileSystem();
        var time = new TestClock();
        var settings = StoreSession.SmallSettings with { MaxDiskBytes = 64 << 10, SegmentBytes = 4 << 10, MinFreeDiskBytes = MinFree };
        var disk = new SmallDisk(files, () => Path.Combine(root.Path, "diskcache-v1"), MinFree + (128 << 10));
        var session = new StoreSession(root.Path, time, new CacheModel(), files, settings);
        var random = new Random(seed);
        for (int cycle = 0; cycle < 100; cycle++)
        {
            disk.LetOthersHave((cycle % 2 == 0 ? random.Next(100, 118) : random.Next(60)) << 10);
            session.Store.ShrinkToFit();
            for (int i = 0; i < 40; i++)
            {
                Mutate(session, random, cycle);
            }

            Assert.InRange(session.Store.DiskBytes, 1, settings.MaxDiskBytes);
            AssertTrue(session, $"seed {seed}, cycle {cycle}");
            if (cycle % 10 == 9)
            {
                session.Dispose();
                session = new StoreSession(root.Path, time, session.Acknowledged, files, settings);
                AssertTrue(session, $"seed {seed}, after the kill in cycle {cycle}");
                Assert.Equal(0, session.Store.Report.Holes);
            }
        }

        disk.LetOthersHave(0);
        session.Store.ShrinkToFit();
        for (int i = 0; i < 200; i++)
        {
            Mutate(session, random, i);
        }

        Assert.False(session.Store.IsShortOfSpace);
        Assert.InRange(session.Store.DiskBytes, 48 << 10, settings.MaxDiskBytes);
        session.Dispose();
    }

    private static void Mutate(StoreSession session, Random random, int number)
    {
        var key = new CacheKey(KeySpace.Data, $"key {random.Next(30)}");
        byte[] value = new byte[random.Next(50) == 0 ? 9_000 : random.Next(4, 900)];
        random.NextBytes(value);
        switch (random.Next(20))
        {
            case < 4:
                session.Remove(key);
                break;
            case 4:
                session.EvictByTag($"tag {number % 3}");
                break;
            case 5 when number % 20 == 0:
                session.Clear();
                break;
            default:
                session.Set(key, value, [$"tag {random.Next(3)}"]);
                break;
        }

        session.Get(new CacheKey(KeySpace.Data, $"key {random.Next(30)}"));
    }

    /// <summary>What is found is what was acknowledged, and everything that the index has is found.</summary>
    private static void AssertTrue(StoreSession session, string when)
    {
        foreach (var key in session.Acknowledged.EveryKey)
        {
            byte[]? expected = session.Acknowledged.ValueOf(key, session.NowTicks);
            byte[]? found = session.Get(key);
            Assert.True(found is null || (expected is not null && found.AsSpan().SequenceEqual(expected)), $"{when}: '{key.Text}' LIES");
            bool isIndexed = expected is not null && session.Store.Index.TryGet(session.Store.HashOf(key), out _);
            Assert.True(found is not null || !isIndexed, $"{when}: '{key.Text}' is forgotten");
        }
    }

    private static FileOperation OperationOf(string step) => step switch
    {
        "create" => FileOperation.Open,
        "name" => FileOperation.Move,
        "length" => FileOperation.SetLength,
        _ => FileOperation.Write,
    };

    private static bool Is(string step, FileCall call) => step switch
    {
        "create" => !File.Exists(call.Path),
        "header" => call.Offset == 0 && call.Bytes < 1_000,
        "footer" => call.Bytes is > 150 and < 400 && call.Offset > SegmentBytes / 2,
        "record" => call.Bytes > 500,
        _ => true,
    };

    private static Exception Exception(string face) => face switch
    {
        "write" => DiskError.NoSpace.ToException(""),
        "preallocation" => DiskError.NoSpaceToPreallocate.ToException(""),
        _ => DiskError.QuotaExceeded.ToException(""),
    };

    /// <summary>Reads every key that the tests set and the index names; returns how many.</summary>
    private int AssertIndexIsServed()
    {
        int count = 0;
        for (int i = 0; i < 300; i++)
        {
            string key = $"k{i}";
            if (_scene.Find(key) is { IsPending: false })
            {
                Assert.True(_scene.Read(key)?.StartsWith(string.Create(CultureInfo.InvariantCulture, $"value of k{i} "), StringComparison.Ordinal) ?? false, key);
                count++;
            }

            if (_scene.Find($"filler {i}") is { IsPending: false })
            {
                Assert.Equal(new string('f', 500), _scene.Read($"filler {i}"));
                count++;
            }
        }

        return count;
    }
}
