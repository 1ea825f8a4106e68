using DiskDistributedCache.Tests.Infrastructure;

namespace DiskDistributedCache.Tests.Testing;

/// <summary>A simulated error is what .NET throws for the real one.</summary>
public sealed class DiskErrorTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    [Theory]
    [InlineData(DiskError.InputOutput, typeof(IOException), 5)]
    [InlineData(DiskError.NoSpace, typeof(IOException), 28)]
    [InlineData(DiskError.NoSpaceToPreallocate, typeof(IOException), unchecked((int)0x80131620))]
    [InlineData(DiskError.ReadOnlyFileSystem, typeof(IOException), 30)]
    [InlineData(DiskError.TooManyOpenFiles, typeof(IOException), 24)]
    [InlineData(DiskError.StaleHandle, typeof(IOException), 116)]
    [InlineData(DiskError.QuotaExceeded, typeof(IOException), 122)]
    [InlineData(DiskError.NotConnected, typeof(IOException), 107)]
    [InlineData(DiskError.SharingViolation, typeof(IOException), 11)]
    [InlineData((DiskError)71, typeof(IOException), 71)]
    [InlineData(DiskError.FileTooLarge, typeof(ArgumentOutOfRangeException), unchecked((int)0x80131502))]
    [InlineData(DiskError.Canceled, typeof(OperationCanceledException), unchecked((int)0x8013153B))]
    [InlineData(DiskError.NotFound, typeof(FileNotFoundException), unchecked((int)0x80070002))]
    [InlineData(DiskError.NotADirectory, typeof(DirectoryNotFoundException), unchecked((int)0x80070003))]
    [InlineData(DiskError.NameTooLong, typeof(PathTooLongException), unchecked((int)0x800700CE))]
    [InlineData(DiskError.AccessDenied, typeof(UnauthorizedAccessException), unchecked((int)0x80070005), 13)]
    [InlineData(DiskError.NotPermitted, typeof(UnauthorizedAccessException), unchecked((int)0x80070005), 1)]
    [InlineData(DiskError.BadDescriptor, typeof(UnauthorizedAccessException), unchecked((int)0x80070005), 9)]
    public void An_error_becomes_the_exception_that_dotnet_throws(DiskError error, Type type, int hResult, int? inner = null)
    {
        var files = new FaultInjectingFileSystem();
        files.Fail(FileOperation.Open, error: error);

        var thrown = Assert.Throws(type, () => files.File.OpenRead(_directory.Path + "/file"));

        Assert.Equal(hResult, thrown.HResult);
        Assert.Equal(inner, thrown.InnerException?.HResult);
    }

    // Four that any Linux gives without being asked twice.
    [Theory]
    [InlineData(DiskError.NotFound, "missing")]
    [InlineData(DiskError.NotADirectory, "file/below")]
    [InlineData(DiskError.NameTooLong, LongName)]
    [InlineData(DiskError.AlreadyExists, "file", FileMode.CreateNew)]
    public void The_exception_is_like_that_of_the_system_itself(DiskError error, string name, FileMode mode = FileMode.Open)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        File.WriteAllText(Path.Combine(_directory.Path, "file"), "");
        string path = Path.Combine(_directory.Path, name);

        var real = Assert.ThrowsAny<Exception>(() => File.OpenHandle(path, mode, FileAccess.ReadWrite));
        var simulated = error.ToException(path);

        Assert.Equal(real.GetType(), simulated.GetType());
        Assert.Equal(real.HResult, simulated.HResult);
    }

    [Fact]
    public void Every_error_with_a_name_has_an_exception()
    {
        foreach (var error in Enum.GetValues<DiskError>().Where(error => error != DiskError.None))
        {
            Assert.NotEmpty(error.ToException("/a/file").Message);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => DiskError.None.ToException());
    }

    public void Dispose() => _directory.Dispose();

    private const string LongName =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
}
