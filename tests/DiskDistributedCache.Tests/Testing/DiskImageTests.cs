using System.Text;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Testing;

/// <summary>What a kill and a power cut leave behind.</summary>
public sealed class DiskImageTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly ScratchDirectory _copy = new();
    private readonly FaultInjectingFileSystem _files = new();

    [Fact]
    public void A_kill_leaves_what_was_written_until_then_to_the_byte()
    {
        File.WriteAllText(PathOf("old"), "before");
        using var recording = _files.RecordWrites(_directory.Path);

        using (var stream = _files.File.Create(PathOf("new")))
        {
            stream.Write("12345"u8);
            stream.SetLength(3);
        }

        _files.File.Move(PathOf("new"), PathOf("old"), overwrite: true);
        _files.File.Delete(PathOf("old"));

        Assert.Equal(5, recording.Changes.Count);
        Assert.Equal("old=before", Say(recording.ImageAfter(0)));
        Assert.Equal("new= old=before", Say(recording.ImageAfter(1)));
        Assert.Equal("new=12 old=before", Say(recording.ImageAfter(1, bytesOfNext: 2)));
        Assert.Equal("new=12345 old=before", Say(recording.ImageAfter(2)));
        Assert.Equal("new=123 old=before", Say(recording.ImageAfter(3)));
        Assert.Equal("old=123", Say(recording.ImageAfter(4)));
        Assert.Equal("", Say(recording.ImageAfter(5)));
        Assert.Equal("new= old=before", Say(recording.ImageAfter(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => recording.ImageAfter(6));
        Assert.Throws<ArgumentOutOfRangeException>(() => recording.ImageAfter(2, bytesOfNext: 1));
    }

    [Fact]
    public void What_a_torn_or_dropped_write_did_not_do_is_in_no_image()
    {
        using var recording = _files.RecordWrites(_directory.Path);
        using var stream = _files.File.Create(PathOf("file"));
        _files.Tear(2, times: 1);
        Assert.Throws<IOException>(() => stream.Write("12345"u8));
        _files.Drop(FileOperation.Write, times: 1);
        stream.Position = 0;
        stream.Write("abc"u8);

        Assert.Equal("file=12", Say(recording.ImageAfter(recording.Changes.Count)));
    }

    // The last image has to be what is on disk, whatever was done.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_last_image_is_what_is_on_disk(int seed)
    {
        var random = new Random(seed);
        using var recording = _files.RecordWrites(_directory.Path);
        using var unsynced = _files.TrackUnsynced(_directory.Path);
        for (int i = 0; i < 300; i++)
        {
            DoSomething(random);
        }

        recording.ImageAfter(recording.Changes.Count).WriteTo(_copy.Path);
        Assert.Equal(Say(_directory.Path), Say(_copy.Path));
        unsynced.AfterPowerCut(_ => true).WriteTo(_copy.Path);
        Assert.Equal(Say(_directory.Path), Say(_copy.Path));
        Assert.Equal(
            Say(unsynced.AfterPowerCut(seed)), Say(recording.UnsyncedAfter(recording.Changes.Count).AfterPowerCut(seed)));
    }

    [Fact]
    public void A_power_cut_takes_what_was_not_flushed_and_leaves_the_names()
    {
        File.WriteAllText(PathOf("old"), "before");
        using var unsynced = _files.TrackUnsynced(_directory.Path);
        using var stream = _files.File.Create(PathOf("new"));
        stream.Write("12345"u8);
        stream.Flush(flushToDisk: true);
        stream.Write("678"u8);
        _files.File.WriteAllText(PathOf("lost"), "lost");
        _files.File.AppendAllText(PathOf("old"), " and after");

        Assert.Equal("lost= new=12345 old=before", Say(unsynced.AfterPowerCut()));
        Assert.Equal(3, unsynced.Changes.Count);
        Assert.Equal("lost= new=12345678 old=before", Say(unsynced.AfterPowerCut(change => change.Path == PathOf("new"))));

        stream.Flush(flushToDisk: true);
        Assert.Equal("lost= new=12345678 old=before", Say(unsynced.AfterPowerCut()));
    }

    [Fact]
    public void A_lost_write_below_a_kept_one_leaves_zeros()
    {
        using var unsynced = _files.TrackUnsynced(_directory.Path);
        using var handle = _files.File.OpenHandle(PathOf("file"), FileMode.Create, FileAccess.Write);
        _files.RandomAccess.Write(handle, "12"u8, 0);
        _files.RandomAccess.Write(handle, "34"u8, 2);

        Assert.Equal("file=\0\034", Say(unsynced.AfterPowerCut(change => change.Offset == 2)));
    }

    [Fact]
    public void Names_can_be_lost_until_their_folder_is_synced()
    {
        File.WriteAllText(PathOf("a"), "old");
        using var unsynced = _files.TrackUnsynced(_directory.Path, areNamesDurableAtOnce: false);
        using (var stream = _files.File.Create(PathOf("a.new")))
        {
            stream.Write("new"u8);
            stream.Flush(flushToDisk: true);
        }

        _files.File.Move(PathOf("a.new"), PathOf("a"), overwrite: true);
        Assert.Equal("a=old", Say(unsynced.AfterPowerCut()));
        Assert.Equal("a=new", Say(unsynced.AfterPowerCut(change => change.Operation == FileOperation.Move)));

        _files.SyncFolder(_directory.Path);
        Assert.Equal("a=new", Say(unsynced.AfterPowerCut()));

        _files.File.Delete(PathOf("a"));
        Assert.Equal("a=new", Say(unsynced.AfterPowerCut()));
    }

    [Fact]
    public void The_same_seed_loses_the_same_and_others_lose_something_else()
    {
        using var unsynced = _files.TrackUnsynced(_directory.Path);
        for (int i = 0; i < 20; i++)
        {
            _files.File.WriteAllText(PathOf($"{i}"), "text");
        }

        Assert.Equal(Say(unsynced.AfterPowerCut(7)), Say(unsynced.AfterPowerCut(7)));
        Assert.True(Enumerable.Range(0, 10).Select(seed => Say(unsynced.AfterPowerCut(seed))).Distinct().Count() > 5);
    }

    public void Dispose()
    {
        _directory.Dispose();
        _copy.Dispose();
    }

    private static string Say(DiskImage image) =>
        string.Join(' ', image.Files.Select(file => $"{file}={Encoding.UTF8.GetString(image.ReadAllBytes(file))}"));

    private static string Say(string folder) => string.Join('\n', Directory
        .GetFileSystemEntries(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(path => Path.GetRelativePath(folder, path) + (File.Exists(path) ? "=" + Convert.ToHexString(File.ReadAllBytes(path)) : "/")));

    private string PathOf(string name) => Path.Combine(_directory.Path, name);

    private void DoSomething(Random random)
    {
        string path = PathOf($"{random.Next(3)}/{random.Next(4)}");
        string folder = Path.GetDirectoryName(path)!;
        string other = PathOf($"{random.Next(3)}/{random.Next(4)}");
        _files.Directory.CreateDirectory(folder);
        switch (random.Next(10))
        {
            case 0 when _files.File.Exists(path) && _files.Directory.Exists(Path.GetDirectoryName(other)):
                _files.File.Move(path, other, overwrite: true);
                break;
            case 1:
                _files.File.Delete(path);
                break;
            case 2 when random.Next(10) == 0:
                _files.Directory.Delete(folder, recursive: true);
                break;
            case 3 when random.Next(5) == 0:
                _files.Directory.Move(folder, PathOf($"moved {random.Next()}"));
                break;
            case 4:
                _files.File.WriteAllText(path, $"{random.Next()}");
                break;
            default:
                using (var stream = _files.File.Open(path, FileMode.OpenOrCreate))
                {
                    stream.Position = random.Next(10_000);
                    stream.Write(new byte[random.Next(6_000)].Select(_ => (byte)random.Next(256)).ToArray());
                    if (random.Next(2) == 0)
                    {
                        stream.SetLength(random.Next(10_000));
                    }

                    stream.Flush(flushToDisk: random.Next(2) == 0);
                }

                break;
        }
    }
}
