using System.Collections.Concurrent;
using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Testing;

/// <summary>Reads at an offset of a handle or stream.</summary>
internal delegate int TakeBytes(Span<byte> to, long offset);

/// <summary>Writes at an offset of a handle or stream.</summary>
internal delegate void PutBytes(ReadOnlySpan<byte> bytes, long offset);

/// <summary>
/// The few things that can be done to a disk. Whatever a caller says to <c>File</c>, <c>Directory</c>, streams or infos ends here, and
/// here a call meets the plan of faults, the free space, the names of files and whoever listens to changes.
///
/// Order of effects: the plan (the call may fail or hang before anything happens), the free space, the inner file system, the names,
/// the listeners; then what the plan has for a call that was done. An open that the inner file system fails gives its space back; a
/// write or a change of length that it fails keeps it, as what is on disk then is not known.
/// </summary>
internal sealed class Disk(IFileSystem outer, IFileSystem inner)
{
    private readonly ConcurrentDictionary<string, string> _overrides = new();
    private long _readBytes;
    private long _writtenBytes;

    /// <summary>What callers see.</summary>
    public IFileSystem Outer { get; } = outer;

    public IFileSystem Inner { get; } = inner;

    public FaultPlan Plan { get; } = new();

    public SpaceBudget Space { get; } = new();

    public FileTable Table { get; } = new(inner);

    public ChangeRecorder Recorder { get; } = new();

    public long BytesRead => Volatile.Read(ref _readBytes);

    public long BytesWritten => Volatile.Read(ref _writtenBytes);

    public string FullPath(string path) => Inner.Path.GetFullPath(path);

    public SafeFileHandle OpenHandle(
        string path, FileMode mode, FileAccess access, FileShare share, FileOptions options, long preallocationSize)
    {
        var (handle, file) = Open(
            path, mode, preallocationSize, full => Inner.File.OpenHandle(full, mode, access, share, options, preallocationSize));
        Table.Opened(handle, file);
        return handle;
    }

    /// <summary>Streams are unbuffered: a write is with the inner file system when it returns, and a fault strikes the write itself.</summary>
    public FileSystemStream OpenStream(string path, FileStreamOptions options)
    {
        var unbuffered = new FileStreamOptions
        {
            Mode = options.Mode,
            Access = options.Access,
            Share = options.Share,
            Options = options.Options,
            PreallocationSize = options.PreallocationSize,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows() && options.UnixCreateMode is { } rights)
        {
            unbuffered.UnixCreateMode = rights;
        }

        var (real, file) = Open(path, options.Mode, options.PreallocationSize, full => Inner.FileStream.New(full, unbuffered));
        var stream = new FaultyStream(this, real, file);
        Table.Opened(stream, file);
        return stream;
    }

    public int Read(OpenFile file, Span<byte> to, long offset, TakeBytes take)
    {
        var strikes = Plan.Begin(FileOperation.Read, file.Path, to.Length, offset);
        int read = take(to, offset);
        Interlocked.Add(ref _readBytes, read);
        return strikes.EndRead(to, read);
    }

    public void Write(OpenFile file, ReadOnlySpan<byte> bytes, long offset, PutBytes put)
    {
        var strikes = Plan.Begin(FileOperation.Write, file.Path, bytes.Length, offset);
        if (strikes.AreDropping)
        {
            return;
        }

        bytes = strikes.Alter(bytes);
        using (Recorder.Enter())
        {
            int fitting = Space.Take(file.File, offset, bytes.Length);
            if (fitting > 0 || bytes.IsEmpty)
            {
                put(bytes[..fitting], offset);
                Interlocked.Add(ref _writtenBytes, fitting);
                Note(FileOperation.Write, file.File, offset, bytes[..fitting]);
            }

            if (fitting < bytes.Length)
            {
                throw DiskError.NoSpace.ToException(file.Path);
            }
        }

        strikes.EndWrite();
    }

    public void SetLength(OpenFile file, long length, Action<long> set)
    {
        if (Plan.Begin(FileOperation.SetLength, file.Path, 0, length).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            if (!Space.TryReserve(file.File, length))
            {
                throw DiskError.NoSpace.ToException(file.Path);
            }

            set(length);
            Space.Cut(file.File, length);
            Note(FileOperation.SetLength, file.File, length, []);
        }
    }

    public void Flush(OpenFile file, Action flush)
    {
        try
        {
            if (Plan.Begin(FileOperation.Flush, file.Path).AreDropping)
            {
                return;
            }
        }
        catch
        {
            using (Recorder.Enter())
            {
                Recorder.Note(new DiskChange(FileOperation.Flush, file.Path, file.File) { IsFailed = true });
            }

            throw;
        }

        using (Recorder.Enter())
        {
            flush();
            Note(FileOperation.Flush, file.File, 0, []);
        }
    }

    public void SyncFolder(string path)
    {
        path = FolderPath(path);
        if (!Plan.Begin(FileOperation.Flush, path).AreDropping)
        {
            using (Recorder.Enter())
            {
                Recorder.Note(new DiskChange(FileOperation.Flush, path, file: null));
            }
        }
    }

    /// <summary>Moves a file. A backup is where a file goes that was in the way.</summary>
    public void Move(string from, string to, Action<string, string> move, string? backup = null)
    {
        (from, to, backup) = (FullPath(from), FullPath(to), backup is null ? null : FullPath(backup));
        if (Plan.Begin(FileOperation.Move, to).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            var (file, replaced) = (Table.At(from), Table.At(to));
            move(from, to);
            if (backup is not null)
            {
                Rename(replaced, to, backup);
            }
            else if (file != replaced)
            {
                Space.Cut(replaced, 0);
            }

            Rename(file, from, to);
        }
    }

    public void MoveFolder(string from, string to, Action<string, string> move)
    {
        (from, to) = (FolderPath(from), FolderPath(to));
        if (Plan.Begin(FileOperation.Move, to).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            move(from, to);
            Table.Moved(from, to);
            Recorder.Note(new DiskChange(FileOperation.Move, to, file: null) { OldPath = from });
        }
    }

    public void Delete(string path)
    {
        path = FullPath(path);
        if (Plan.Begin(FileOperation.Delete, path).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            bool existed = Inner.File.Exists(path);
            var file = Table.At(path);
            Inner.File.Delete(path);
            Space.Cut(file, 0);
            Table.Deleted(path);
            if (existed)
            {
                Recorder.Note(new DiskChange(FileOperation.Delete, path, file));
            }
        }
    }

    public void CreateFolder(string path, Action<string> create)
    {
        path = FolderPath(path);
        if (Plan.Begin(FileOperation.CreateDirectory, path).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            bool existed = Inner.Directory.Exists(path);
            create(path);
            if (!existed)
            {
                Recorder.Note(new DiskChange(FileOperation.CreateDirectory, path, file: null));
            }
        }
    }

    public void DeleteFolder(string path, bool recursive)
    {
        path = FolderPath(path);
        if (Plan.Begin(FileOperation.DeleteDirectory, path).AreDropping)
        {
            return;
        }

        using (Recorder.Enter())
        {
            var files = Inner.Directory.Exists(path) ? Inner.Directory.GetFiles(path, "*", SearchOption.AllDirectories).Select(Table.At).ToList() : [];
            Inner.Directory.Delete(path, recursive);
            files.ForEach(file => Space.Cut(file, 0));
            Table.Deleted(path);
            Recorder.Note(new DiskChange(FileOperation.DeleteDirectory, path, file: null));
        }
    }

    /// <summary>A question or a setting that changes neither contents nor names.</summary>
    public void Ask(FileOperation operation, string path) => Plan.Begin(operation, FullPath(path));

    /// <summary>As .NET answers: whatever goes wrong, the file is not there.</summary>
    public bool Exists(string? path, Func<string, bool> exists)
    {
        if (string.IsNullOrEmpty(path))
        {
            return false;
        }

        try
        {
            Ask(FileOperation.Exists, path);
            return exists(path);
        }
        catch (Exception)
        {
            // The answer is no, as with the real one.
            return false;
        }
    }

    public void OverrideText(string path, string? text)
    {
        if (text is null)
        {
            _overrides.TryRemove(FullPath(path), out _);
        }
        else
        {
            _overrides[FullPath(path)] = text;
        }
    }

    public string? OverrideOf(string path) => _overrides.IsEmpty ? null : _overrides.GetValueOrDefault(FullPath(path));

    public IFileInfo Wrap(IFileInfo real) => new FaultyFileInfo(this, real);

    public IDirectoryInfo Wrap(IDirectoryInfo real) => new FaultyDirectoryInfo(this, real);

    public IFileSystemInfo Wrap(IFileSystemInfo real) => real is IDirectoryInfo folder ? Wrap(folder) : Wrap((IFileInfo)real);

    public DiskImage Look(string folder) => new(Inner, Table, folder);

    public string FolderPath(string path) => Inner.Path.TrimEndingDirectorySeparator(FullPath(path));

    private (T Opened, OpenFile File) Open<T>(string path, FileMode mode, long preallocationSize, Func<string, T> open)
    {
        string full = FullPath(path);
        Plan.Begin(FileOperation.Open, full);
        using (Recorder.Enter())
        {
            bool existed = Inner.File.Exists(full);
            var file = Table.At(full);
            long before = file.AllocatedBytes;
            if (!Space.TryReserve(file, preallocationSize))
            {
                DeleteUnpreallocated(full, mode, existed);
                throw DiskError.NoSpaceToPreallocate.ToException(full);
            }

            T opened;
            try
            {
                opened = open(full);
            }
            catch
            {
                Space.Cut(file, before);
                throw;
            }

            if (!existed)
            {
                Recorder.Note(new DiskChange(FileOperation.Open, full, file));
            }
            else if (mode is FileMode.Create or FileMode.Truncate)
            {
                Space.Cut(file, preallocationSize);
                Note(FileOperation.SetLength, file, 0, []);
            }

            return (opened, new OpenFile(full, file));
        }
    }

    /// <summary>.NET deletes a file that it has opened and cannot preallocate, also one that was there before.</summary>
    private void DeleteUnpreallocated(string path, FileMode mode, bool existed)
    {
        if (existed && mode is FileMode.Create or FileMode.Truncate)
        {
            var file = Table.At(path);
            Inner.File.Delete(path);
            Space.Cut(file, 0);
            Recorder.Note(new DiskChange(FileOperation.Delete, path, file));
        }

        Table.Deleted(path);
    }

    private void Rename(TrackedFile file, string from, string to)
    {
        Table.Moved(from, to);
        Recorder.Note(new DiskChange(FileOperation.Move, to, file) { OldPath = from });
    }

    private void Note(FileOperation operation, TrackedFile file, long offset, ReadOnlySpan<byte> bytes)
    {
        if (Recorder.IsListening)
        {
            Recorder.Note(new DiskChange(operation, file.Path, file) { Offset = offset, Bytes = bytes.ToArray() });
        }
    }
}
