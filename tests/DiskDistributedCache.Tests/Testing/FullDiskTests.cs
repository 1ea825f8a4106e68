using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Testing;

/// <summary>The free space of the simulated disk: taken by what is written, given back by what is cut or deleted.</summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly FaultInjectingFileSystem _files = new() { FreeBytes = 100 };

    [Fact]
    public void A_write_beyond_the_free_space_writes_what_fits_and_says_that_the_disk_is_full()
    {
        _files.File.WriteAllBytes(PathOf("a"), new byte[60]);
        Assert.Equal(40, _files.DriveInfo.New(_directory.Path).AvailableFreeSpace);

        var full = Assert.Throws<IOException>(() => _files.File.WriteAllBytes(PathOf("b"), new byte[60]));

        Assert.Equal(28, full.HResult);
        Assert.Equal(40, new FileInfo(PathOf("b")).Length);
        Assert.Equal(0, _files.FreeBytes);
        _files.File.WriteAllBytes(PathOf("a"), new byte[60]);
    }

    [Fact]
    public void What_was_preallocated_can_be_written_when_the_disk_is_full()
    {
        using var handle = _files.File.OpenHandle(PathOf("a"), FileMode.CreateNew, FileAccess.Write, preallocationSize: 80);
        _files.FreeBytes = 0;

        _files.RandomAccess.Write(handle, new byte[80].AsSpan(), 0);

        Assert.Equal(28, Assert.Throws<IOException>(() => _files.RandomAccess.Write(handle, [1], 80)).HResult);
    }

    [Fact]
    public void Preallocation_beyond_the_free_space_fails_without_a_number_and_leaves_no_file()
    {
        var full = Assert.Throws<IOException>(
            () => _files.File.OpenHandle(PathOf("a"), FileMode.CreateNew, FileAccess.Write, preallocationSize: 101));

        Assert.Equal(unchecked((int)0x80131620), full.HResult);
        Assert.False(File.Exists(PathOf("a")));
        Assert.Equal(100, _files.FreeBytes);
    }

    [Fact]
    public void Extending_takes_space_and_cutting_and_deleting_and_replacing_give_it_back()
    {
        using (var stream = _files.File.Create(PathOf("a")))
        {
            Assert.Equal(28, Assert.Throws<IOException>(() => stream.SetLength(101)).HResult);
            stream.SetLength(90);
            Assert.Equal(10, _files.FreeBytes);
            stream.SetLength(50);
            Assert.Equal(50, _files.FreeBytes);
        }

        _files.File.WriteAllBytes(PathOf("b"), new byte[20]);
        _files.File.Move(PathOf("b"), PathOf("a"), overwrite: true);
        Assert.Equal(80, _files.FreeBytes);

        _files.FileInfo.New(PathOf("a")).Delete();
        Assert.Equal(100, _files.FreeBytes);
    }

    [Fact]
    public void Files_from_before_give_back_what_they_take()
    {
        File.WriteAllBytes(PathOf("old"), new byte[30]);
        Directory.CreateDirectory(PathOf("folder"));
        File.WriteAllBytes(PathOf("folder/old"), new byte[40]);

        _files.File.Delete(PathOf("old"));
        _files.Directory.Delete(PathOf("folder"), recursive: true);

        Assert.Equal(170, _files.FreeBytes);
    }

    [Fact]
    public void Others_may_fill_the_disk_and_free_it()
    {
        _files.FreeBytes = 0;
        Assert.Throws<IOException>(() => _files.File.WriteAllText(PathOf("a"), "text"));

        _files.FreeBytes = null;
        _files.File.WriteAllText(PathOf("a"), "text");
        Assert.True(_files.DriveInfo.New(_directory.Path).AvailableFreeSpace > 0);
    }

    public void Dispose() => _directory.Dispose();

    private string PathOf(string name) => Path.Combine(_directory.Path, name);
}
