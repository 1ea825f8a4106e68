using System.Runtime.InteropServices;
using DiskDistributedCache.Storage;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Tests.Storage;

/// <summary>The calls that .NET does not offer, on the real file system.</summary>
public sealed partial class NativeIoTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("diskcache-test-").FullName;

    private string FilePath => Path.Combine(_folder, "file");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // Without the locks of .NET, which may be switched off for a whole application.
    [Fact]
    public void A_lock_is_held_by_one_handle_whatever_NET_has_locked()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Opening a file is the lock there.");
        File.WriteAllText(FilePath, "");
        using (var first = OpenWithoutLock())
        using (var second = OpenWithoutLock())
        {
            NativeIo.Lock(first);
            NativeIo.Lock(first);
            int wouldBlock = OperatingSystem.IsLinux() ? 11 : 35;
            Assert.Equal(wouldBlock, Assert.Throws<IOException>(() => NativeIo.Lock(second)).HResult);
        }

        using var third = OpenWithoutLock();
        NativeIo.Lock(third);
    }

    [Fact]
    public void What_is_no_file_of_this_user_is_foreign()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Nobody says elsewhere.");
        File.WriteAllText(FilePath, "");
        string link = Path.Combine(_folder, "link");
        File.CreateSymbolicLink(link, FilePath);

        Assert.False(NativeIo.IsForeign(FilePath));
        Assert.False(NativeIo.IsForeign(FilePath + " that is not there"));
        Assert.True(NativeIo.IsForeign(link));
        Assert.True(NativeIo.IsForeign(_folder));
        Assert.True(NativeIo.IsForeign("/dev/null"));
        Assert.Equal(Environment.UserName != "root", NativeIo.IsForeign("/etc/passwd"));
    }

    // Seen to fail when the flag was not set, where the file system keeps times.
    [Fact]
    public void A_cached_read_leaves_the_time_of_the_last_access_alone()
    {
        File.WriteAllBytes(FilePath, new byte[100]);
        using var handle = Open();
        Assert.SkipUnless(NativeIo.TryForgetAccessTime(handle), "This system has no cached reads.");
        var longAgo = new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastAccessTimeUtc(FilePath, longAgo);

        Assert.SkipUnless(NativeIo.TryReadCached(handle, new byte[100], 0) == 100, "This file system has no cached reads.");

        Assert.Equal(longAgo, File.GetLastAccessTimeUtc(FilePath));
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    private SafeFileHandle OpenWithoutLock()
    {
        const int ReadWrite = 2; // O_RDWR
        return new SafeFileHandle(OpenFile(FilePath, ReadWrite), ownsHandle: true);
    }

    private SafeFileHandle Open() => File.OpenHandle(FilePath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
}
