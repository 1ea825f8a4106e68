using System.IO.Abstractions.TestingHelpers;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Testing;

/// <summary>Faults strike the calls that they are planned for, whichever way a call is made, and no others.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly FaultInjectingFileSystem _files = new();

    [Fact]
    public void A_fault_leaves_the_first_calls_alone_strikes_its_number_and_says_how_many_it_struck()
    {
        var fault = _files.Fail(FileOperation.Open, "log", skip: 2, times: 2);

        string outcome = string.Concat(Enumerable.Range(0, 6).Select(_ => Fails(() => Touch("a.log")) ? 'x' : '.'));

        Assert.Equal("..xx..", outcome);
        Assert.Equal(2, fault.StruckCount);
        Assert.False(Fails(() => Touch("other")));
    }

    [Fact]
    public void A_healed_fault_strikes_no_more()
    {
        var fault = _files.Fail(FileOperation.Write);
        Assert.True(Fails(() => Touch("a")));

        fault.Heal();

        Assert.False(Fails(() => Touch("a")));
        Assert.Equal(1, fault.StruckCount);
    }

    // The sweep that users write: whatever a workload does, each of its calls can be made to fail alone.
    [Fact]
    public void Each_call_of_a_workload_can_be_the_one_that_fails()
    {
        long before = _files.CallCount;
        Workload(_files);
        long count = _files.CallCount - before;
        Assert.True(count > 15, $"Only {count} calls were seen.");

        for (int i = 0; i < count; i++)
        {
            var files = new FaultInjectingFileSystem();
            var fault = files.Fail(FileOperation.Any, skip: i, times: 1, exception: () => new TimeoutException());

            // Whether something exists is the one question that is answered without an exception.
            if (!Fails<TimeoutException>(() => Workload(files)))
            {
                Assert.Equal(FileOperation.Exists, files.Calls[i].Operation);
            }

            Assert.Equal(1, fault.StruckCount);
        }
    }

    [Fact]
    public void Calls_through_infos_and_streams_are_struck_as_well()
    {
        Touch("file");
        var info = _files.DirectoryInfo.New(_directory.Path).GetFiles().Single();
        var stream = info.Open(FileMode.Open, FileAccess.ReadWrite);

        _files.Fail(FileOperation.Any);

        Assert.True(Fails(() => info.Delete()));
        Assert.True(Fails(() => _ = info.Length));
        Assert.True(Fails(() => info.MoveTo(PathOf("other"))));
        Assert.True(Fails(() => _ = info.LinkTarget));
        Assert.True(Fails(() => _ = info.LastWriteTimeUtc));
        Assert.True(Fails(() => _files.DirectoryInfo.New(_directory.Path).GetFiles()));
        Assert.True(Fails(() => _files.DirectoryInfo.New(_directory.Path).EnumerateFileSystemInfos("*")));
        Assert.True(Fails(() => stream.ReadByte()));
        Assert.True(Fails(() => stream.WriteByte(1)));
        Assert.True(Fails(() => stream.SetLength(0)));
        Assert.True(Fails(() => stream.Flush(flushToDisk: true)));
        Assert.True(Fails(stream.Dispose));
        Assert.True(Fails(() => _files.File.ReadAllText(PathOf("file"))));
        Assert.True(Fails(() => _files.File.SetLastWriteTimeUtc(PathOf("file"), DateTime.UnixEpoch)));
        Assert.False(info.Exists);
        Assert.False(_files.File.Exists(PathOf("file")));
        Assert.False(_files.Directory.Exists(_directory.Path));

        _files.Heal();
        Assert.Equal("file", _files.File.ReadAllText(PathOf("file")));
        Assert.Equal(0, _files.OpenHandleCount);
    }

    [Fact]
    public void A_torn_write_leaves_its_first_bytes()
    {
        _files.Tear(keptBytes: 3, error: DiskError.NoSpace, times: 1);

        var thrown = Assert.Throws<IOException>(() => _files.File.WriteAllText(PathOf("file"), "0123456789"));

        Assert.Equal(28, thrown.HResult);
        Assert.Equal("012", _files.File.ReadAllText(PathOf("file")));
    }

    [Fact]
    public void A_flipped_bit_is_on_disk_or_only_in_what_is_read()
    {
        _files.FlipWrites(bit: 8, times: 1);
        _files.File.WriteAllBytes(PathOf("file"), [0, 0]);
        Assert.Equal([0, 1], File.ReadAllBytes(PathOf("file")));

        _files.FlipReads(bit: 0, times: 1);
        Assert.Equal([1, 1], _files.File.ReadAllBytes(PathOf("file")));
        Assert.Equal([0, 1], _files.File.ReadAllBytes(PathOf("file")));
    }

    [Fact]
    public void A_short_read_returns_the_first_bytes_and_the_next_goes_on_there()
    {
        Touch("file");
        _files.ShortenReads(maxBytes: 3);

        using var stream = _files.File.OpenRead(PathOf("file"));
        byte[] bytes = new byte[4];

        Assert.Equal(3, stream.Read(bytes));
        Assert.Equal(1, stream.Read(bytes));
        Assert.Equal((byte)'e', bytes[0]);
        using var handle = _files.File.OpenHandle(PathOf("file"));
        Assert.Equal(3, _files.RandomAccess.Read(handle, bytes.AsSpan(), 0));
    }

    [Fact]
    public void A_dropped_call_is_not_done_and_nobody_is_told()
    {
        Touch("file");
        _files.Drop(FileOperation.Write | FileOperation.Delete | FileOperation.Move);

        using (var stream = _files.File.Open(PathOf("file"), FileMode.Open, FileAccess.Write))
        {
            stream.Write("XY"u8);
            Assert.Equal(2, stream.Position);
        }

        _files.File.Move(PathOf("file"), PathOf("other"));
        _files.File.Delete(PathOf("file"));

        Assert.Equal("file", File.ReadAllText(PathOf("file")));
        Assert.Throws<ArgumentException>(() => _files.Drop(FileOperation.Read));
    }

    [Fact]
    public async Task A_call_hangs_at_its_gate_and_goes_on_when_it_opens()
    {
        var gate = _files.Hold(FileOperation.Write, times: 1);

        var writing = _files.File.WriteAllTextAsync(PathOf("file"), "text", TestContext.Current.CancellationToken);
        await gate.Reached;
        Assert.Equal(1, gate.HeldCount);
        Assert.Equal(0, new FileInfo(PathOf("file")).Length);
        Touch("another");

        gate.Open();
        await writing;
        Assert.Equal("text", File.ReadAllText(PathOf("file")));
        Assert.Equal(0, gate.HeldCount);
    }

    [Fact]
    public async Task A_read_with_its_bytes_in_hand_returns_what_was_there_before()
    {
        Touch("file");
        var gate = _files.HoldDoneReads(times: 1);

        var reading = _files.File.ReadAllTextAsync(PathOf("file"), TestContext.Current.CancellationToken);
        await gate.Reached;
        File.WriteAllText(PathOf("file"), "FILE");
        _files.Heal();

        Assert.Equal("file", await reading);
    }

    [Fact]
    public async Task A_delayed_call_waits_for_the_clock()
    {
        var time = new TestClock();
        var called = new TaskCompletionSource();
        _files.Watch(FileOperation.Open, _ => called.SetResult());
        var fault = _files.Delay(FileOperation.Open, TimeSpan.FromSeconds(10), timeProvider: time);

        var writing = _files.File.WriteAllTextAsync(PathOf("file"), "text", TestContext.Current.CancellationToken);
        await called.Task;
        Assert.False(File.Exists(PathOf("file")));

        // The clock may be moved before the delay has begun to look at it.
        while (!writing.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(10));
            await Task.Yield();
        }

        await writing;
        Assert.Equal(1, fault.StruckCount);
        Assert.Equal("text", File.ReadAllText(PathOf("file")));
    }

    [Fact]
    public void Calls_and_open_handles_are_counted_and_a_closed_one_is_gone()
    {
        using (var handle = _files.File.OpenHandle(PathOf("a"), FileMode.Create, FileAccess.ReadWrite))
        using (_files.File.Create(PathOf("b")))
        {
            _files.RandomAccess.Write(handle, "12345"u8, 7);
            Assert.Equal([PathOf("a"), PathOf("b")], _files.OpenPaths);
        }

        Assert.Equal(0, _files.OpenHandleCount);
        Assert.Equal(2, _files.CountCalls(FileOperation.Open));
        Assert.Equal(2, _files.CountCalls(FileOperation.Open | FileOperation.Write | FileOperation.Close, PathOf("b")));
        var write = Assert.Single(_files.Calls, call => call.Operation == FileOperation.Write);
        Assert.Equal((5, 7L, PathOf("a")), (write.Bytes, write.Offset, write.Path));
        Assert.Equal(5, _files.BytesWritten);
        Assert.Equal(_files.CallCount, _files.CountCalls());
    }

    [Fact]
    public void A_text_that_the_system_says_can_be_replaced()
    {
        _files.OverrideText("/proc/sys/kernel/random/boot_id", "mine");
        Assert.True(_files.File.Exists("/proc/sys/kernel/random/boot_id"));
        Assert.Equal("mine", _files.File.ReadAllText("/proc/sys/kernel/random/boot_id"));

        _files.OverrideText("/proc/sys/kernel/random/boot_id", null);
        Assert.Equal(File.Exists("/proc/sys/kernel/random/boot_id"), _files.File.Exists("/proc/sys/kernel/random/boot_id"));
    }

    [Fact]
    public void It_stands_before_a_mock_as_well()
    {
        var files = new FaultInjectingFileSystem(new MockFileSystem());
        files.Directory.CreateDirectory("/folder");
        files.File.WriteAllText("/folder/file", "text");
        Assert.Throws<NotSupportedException>(() => files.File.OpenHandle("/folder/file"));

        files.Fail(FileOperation.Read, times: 1);
        Assert.Throws<IOException>(() => files.File.ReadAllText("/folder/file"));

        Assert.Equal("text", files.File.ReadAllText("/folder/file"));
        Assert.Equal("file", files.DirectoryInfo.New("/folder").GetFiles().Single().Name);
    }

    public void Dispose() => _directory.Dispose();

    private static bool Fails(Action action) => Fails<IOException>(action);

    private static bool Fails<T>(Action action)
        where T : Exception
    {
        try
        {
            action();
            return false;
        }
        catch (T)
        {
            // What was asked for.
            return true;
        }
    }

    private string PathOf(string name) => Path.Combine(_directory.Path, name);

    private void Touch(string name) => _files.File.WriteAllText(PathOf(name), name);

    private void Workload(FaultInjectingFileSystem files)
    {
        string folder = PathOf("work");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        files.Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "new");
        using (var handle = files.File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite))
        {
            files.RandomAccess.SetLength(handle, 100);
            files.RandomAccess.Write(handle, "some bytes"u8, 10);
            files.RandomAccess.Read(handle, new byte[10].AsSpan(), 10);
            _ = files.RandomAccess.GetLength(handle);
            files.RandomAccess.FlushToDisk(handle);
        }

        files.File.Move(path, path + ".moved", overwrite: true);
        files.File.Copy(path + ".moved", path);
        _ = files.File.Exists(path);
        foreach (var info in files.DirectoryInfo.New(folder).GetFiles())
        {
            info.Delete();
        }

        _ = files.DriveInfo.New(folder).AvailableFreeSpace;
        files.Directory.Delete(folder, recursive: true);
    }
}
