using System.IO.Abstractions;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Testing;

/// <summary>A file, whatever its name is at the moment.</summary>
internal sealed class TrackedFile(string path)
{
    /// <summary>The full path; of a deleted file, the last one.</summary>
    public volatile string Path = path;

    /// <summary>The space that it takes; guarded by the lock of <see cref="SpaceBudget"/>.</summary>
    public long AllocatedBytes;
}

/// <summary>An open handle or stream.</summary>
/// <param name="Path">The full path under which it was opened; empty if it was opened elsewhere.</param>
/// <param name="File">What was opened.</param>
internal sealed record OpenFile(string Path, TrackedFile File)
{
    public static OpenFile Foreign => new("", new TrackedFile(""));
}

/// <summary>Which file has which name, and what is open.</summary>
internal sealed class FileTable(IFileSystem inner)
{
    private readonly Lock _lock = new();

    // Guarded by _lock.
    private readonly Dictionary<string, TrackedFile> _names = [];

    // By handle or stream. Does not keep them alive: one that is forgotten is closed by its finalizer, as ever.
    private readonly ConditionalWeakTable<object, OpenFile> _open = [];

    /// <summary>Where handles and streams are open, one path for each.</summary>
    public IReadOnlyList<string> OpenPaths => [.. _open
        .Where(open => open.Key is not SafeFileHandle { IsClosed: true })
        .Select(open => open.Value.Path)
        .Order(StringComparer.Ordinal)];

    public void Opened(object handleOrStream, OpenFile file) => _open.AddOrUpdate(handleOrStream, file);

    public void Closed(object stream) => _open.Remove(stream);

    public OpenFile Of(SafeFileHandle handle) => _open.TryGetValue(handle, out var open) ? open : OpenFile.Foreign;

    /// <summary>The file of that name. One that is not known yet takes as much space as it is long.</summary>
    public TrackedFile At(string path)
    {
        lock (_lock)
        {
            if (!_names.TryGetValue(path, out var file))
            {
                _names[path] = file = new TrackedFile(path) { AllocatedBytes = LengthOf(path) };
            }

            return file;
        }
    }

    public void Moved(string from, string to)
    {
        if (from == to)
        {
            return;
        }

        lock (_lock)
        {
            _names.Remove(to);
            foreach (string path in _names.Keys.Where(path => FilePath.IsIn(path, from)).ToList())
            {
                _names.Remove(path, out var file);
                file!.Path = FilePath.Moved(path, from, to);
                _names[file.Path] = file;
            }
        }
    }

    public void Deleted(string path)
    {
        lock (_lock)
        {
            foreach (string gone in _names.Keys.Where(name => FilePath.IsIn(name, path)).ToList())
            {
                _names.Remove(gone);
            }
        }
    }

    private long LengthOf(string path) => inner.FileInfo.New(path) is { Exists: true } info ? info.Length : 0;
}
