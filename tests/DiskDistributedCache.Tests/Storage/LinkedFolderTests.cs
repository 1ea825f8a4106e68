using System.IO.Abstractions;
using System.Runtime.InteropServices;
using DiskDistributedCache.Storage;
using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>A link where the cache's own folder should be, or a folder of somebody else: then another one says what is in it.</summary>
public sealed partial class LinkedFolderTests
{
    // Seen to fail, where root may change the mode of any folder, when only that was tried.
    [Fact]
    public void A_folder_of_another_user_is_refused_by_root_too()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "Only root can make one.");
        using var root = new ScratchDirectory();
        string folder = Path.Combine(root.Path, "diskcache-v1");
        Directory.CreateDirectory(folder);
        Assert.Equal(0, ChangeOwner(folder, 12345, 12345));
        using var directory = new CacheDirectory(new FileSystem(), root.Path, WitnessFolder.Path);

        Assert.Throws<UnauthorizedAccessException>(directory.Prepare);

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
    }

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

    [LibraryImport("libc", EntryPoint = "chown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
