using System.IO.Abstractions;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>A link where the cache's own folder should be: somebody else says where it leads.</summary>
public sealed class LinkedFolderTests
{
    // Seen to fail while only the opening of a store looked: a process that could not open it left its mark behind the link.
    [Fact]
    public void Nothing_is_written_through_a_link_in_the_place_of_the_cache_folder()
    {
        if (OperatingSystem.IsWindows())
        {
            // There a link takes a right that few have.
            return;
        }

        using var root = new ScratchDirectory();
        using var target = new ScratchDirectory();
        Directory.CreateSymbolicLink(Path.Combine(root.Path, "diskcache-v1"), target.Path);
        using var directory = new CacheDirectory(new FileSystem(), root.Path, WitnessFolder.Path);

        Assert.Throws<IOException>(directory.Prepare);
        Assert.Throws<IOException>(() => directory.LeaveWaiterMark(Guid.NewGuid()));

        Assert.Empty(Directory.EnumerateFileSystemEntries(target.Path));
    }
}
