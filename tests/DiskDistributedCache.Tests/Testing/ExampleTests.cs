using System.Text.Json;
using DiskDistributedCache.Tests.Infrastructure;
using FileSystem = System.IO.Abstractions.FileSystem;
using IFileSystem = System.IO.Abstractions.IFileSystem;

namespace DiskDistributedCache.Tests.Testing;

/// <summary>The examples of docs/testing.md, on a class as an application might have it.</summary>
public sealed class ExampleTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly ScratchDirectory _copy = new();

    [Fact]
    public void Saving_survives_the_failure_of_any_single_call()
    {
        string folder = _directory.Path;
        for (int call = 0; ; call++)
        {
            var files = new FaultInjectingFileSystem();
            var settings = new Settings(files, folder);
            settings.Save("old");
            var fault = files.Fail(FileOperation.Any, skip: call, times: 1, error: DiskError.NoSpace);
            try
            {
                settings.Save("new");
            }
            catch (IOException)
            {
                // The application says so to its user.
            }

            files.Heal();
            Assert.Contains(settings.Load(), (string[])["old", "new"]);
            Assert.Equal(0, files.OpenHandleCount);
            if (fault.StruckCount == 0)
            {
                break; // Every call of Save has been the one that failed.
            }
        }
    }

    [Fact]
    public void Saving_survives_a_power_cut_at_any_time()
    {
        string folder = _directory.Path;
        string copy = _copy.Path;
        var files = new FaultInjectingFileSystem();
        var settings = new Settings(files, folder);
        settings.Save("old");
        using var recording = files.RecordWrites(folder);
        settings.Save("new");
        for (int call = 0; call <= recording.Changes.Count; call++)
        {
            for (int seed = 0; seed < 10; seed++)
            {
                recording.UnsyncedAfter(call).AfterPowerCut(seed).WriteTo(copy);
                Assert.Contains(new Settings(new FileSystem(), copy).Load(), (string[])["old", "new"]);
            }
        }
    }

    public void Dispose()
    {
        _directory.Dispose();
        _copy.Dispose();
    }

    private sealed class Settings(IFileSystem files, string folder)
    {
        private string Path => files.Path.Combine(folder, "settings.json");

        public void Save(string text)
        {
            using (var stream = files.File.Create(Path + ".new"))
            {
                JsonSerializer.Serialize(stream, text);
                stream.Flush(flushToDisk: true);
            }

            files.File.Move(Path + ".new", Path, overwrite: true);
        }

        public string? Load() => JsonSerializer.Deserialize<string>(files.File.ReadAllText(Path));
    }
}
