using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.IO.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// The real file system, with faults. It sees what a store does to files through handles, and to names and folders; what goes
/// through streams, file infos and folder infos passes unseen.
///
/// A fault is planned with one of <see cref="Fail"/>, <see cref="Tear"/>, <see cref="Alter"/> and <see cref="Hold"/>, for calls of one
/// operation on paths that contain a text; it leaves the first <c>skip</c> of them alone and strikes the next <c>times</c>, or
/// until it is healed. Several faults may strike one call, in the order in which they were planned.
/// </summary>
internal sealed class FaultyFileSystem : FileSystemBase
{
    private const string BootIdPath = "/proc/sys/kernel/random/boot_id";

    private readonly FileSystem _real = new();
    private readonly ConcurrentQueue<FileCall> _calls = new();
    private readonly ConcurrentDictionary<SafeFileHandle, string> _handles = new();
    private ImmutableList<Fault> _faults = [];

    public FaultyFileSystem()
    {
        File = new FaultyFile(this);
        Directory = new FaultyDirectory(this);
        RandomAccess = new FaultyRandomAccess(this, _real.RandomAccess);
        DriveInfo = new FaultyDriveInfos(this);
    }

    /// <summary>What the drive says is free; null for the true number.</summary>
    public Func<long>? FreeBytes { get; set; }

    /// <summary>The run of the operating system, as the system itself says it; null for the true one.</summary>
    public Guid? BootId { get; set; }

    public int OpenHandleCount => _handles.Keys.Count(handle => !handle.IsClosed);

    public override IFile File { get; }

    public override IDirectory Directory { get; }

    public override IRandomAccess RandomAccess { get; }

    public override IFileStreamFactory FileStream => _real.FileStream;

    public override IFileInfoFactory FileInfo => _real.FileInfo;

    public override IFileVersionInfoFactory FileVersionInfo => _real.FileVersionInfo;

    public override IPath Path => _real.Path;

    public override IDirectoryInfoFactory DirectoryInfo => _real.DirectoryInfo;

    public override IDriveInfoFactory DriveInfo { get; }

    public override IFileSystemWatcherFactory FileSystemWatcher => _real.FileSystemWatcher;

    public int CountCalls(FileOperation operation, string pathPart = "") => _calls.Count(call => call.IsA(operation, pathPart));

    /// <summary>Calls throw instead of being done. The default exception is that of EIO.</summary>
    public Fault Fail(
        FileOperation operation, string pathPart = "", int skip = 0, int times = int.MaxValue, Func<Exception>? exception = null)
    {
        exception ??= InputOutputError;
        return Plan(new Fault(operation, pathPart, skip, times) { Before = _ => throw exception() });
    }

    /// <summary>Writes do the first part of their bytes and throw then. All bytes: the write is done and reported as failed.</summary>
    public Fault Tear(int keptBytes, string pathPart = "", int skip = 0, int times = int.MaxValue) =>
        Plan(new Fault(FileOperation.Write, pathPart, skip, times)
        {
            Alter = bytes => bytes[..Math.Min(keptBytes, bytes.Length)],
            After = InputOutputError,
        });

    /// <summary>Writes put other bytes on disk than they were given, and say nothing.</summary>
    public Fault Alter(Func<byte[], byte[]> alter, string pathPart = "", int skip = 0, int times = int.MaxValue) =>
        Plan(new Fault(FileOperation.Write, pathPart, skip, times) { Alter = alter });

    /// <summary>Calls hang at a gate until it is opened, and are done then.</summary>
    public Gate Hold(FileOperation operation, string pathPart = "", int skip = 0, int times = int.MaxValue)
    {
        var gate = new Gate();
        Plan(new Fault(operation, pathPart, skip, times) { Before = _ => gate.Pass(), Healed = gate.Open });
        return gate;
    }

    /// <summary>Reads hang at a gate with their bytes in hand.</summary>
    public Gate HoldDoneReads(string pathPart = "", int times = int.MaxValue)
    {
        var gate = new Gate();
        Plan(new Fault(FileOperation.Read, pathPart, 0, times) { Done = gate.Pass, Healed = gate.Open });
        return gate;
    }

    /// <summary>Something that looks on, before the call is done.</summary>
    public Fault Watch(FileOperation operation, Action<FileCall> look, string pathPart = "") =>
        Plan(new Fault(operation, pathPart, 0, int.MaxValue) { Before = look });

    /// <summary>Heals every fault and opens every gate.</summary>
    public void Heal()
    {
        foreach (var fault in _faults)
        {
            fault.Heal();
        }
    }

    /// <summary>What a write or a creation meets on a full disk (ENOSPC).</summary>
    public static IOException NoSpace() => new("No space left on device", 28);

    /// <summary>What a preallocation meets there: the runtime drops the number.</summary>
    public static IOException NoSpaceToPreallocate() => new("The disk is full.", unchecked((int)0x80131620));

    public static IOException QuotaExceeded() => new("Disk quota exceeded", 122);

    private static IOException InputOutputError() => new("Input/output error", 5);

    private Fault Plan(Fault fault)
    {
        ImmutableInterlocked.Update(ref _faults, faults => faults.Add(fault));
        return fault;
    }

    /// <summary>Notes a call, does to it what comes before it is done, and returns the faults that strike it.</summary>
    private List<Fault> Begin(FileOperation operation, string path, int bytes = 0, long offset = 0)
    {
        var call = new FileCall(operation, path, bytes, offset);
        _calls.Enqueue(call);
        var striking = _faults.Where(fault => fault.Strikes(call)).ToList();
        striking.ForEach(fault => fault.Before?.Invoke(call));
        return striking;
    }

    private List<Fault> Begin(FileOperation operation, SafeFileHandle handle, int bytes = 0, long offset = 0) =>
        Begin(operation, _handles.GetValueOrDefault(handle, ""), bytes, offset);

    private sealed class FaultyFile(FaultyFileSystem files) : FileWrapper(files._real)
    {
        public override SafeFileHandle OpenHandle(
            string path, FileMode mode, FileAccess access, FileShare share, FileOptions options, long preallocationSize)
        {
            files.Begin(FileOperation.Open, path, (int)preallocationSize);
            var handle = base.OpenHandle(path, mode, access, share, options, preallocationSize);
            files._handles[handle] = path;
            return handle;
        }

        public override void Move(string sourceFileName, string destFileName, bool overwrite)
        {
            files.Begin(FileOperation.Move, destFileName);
            base.Move(sourceFileName, destFileName, overwrite);
        }

        public override void Delete(string path)
        {
            files.Begin(FileOperation.Delete, path);
            base.Delete(path);
        }

        public override string ReadAllText(string path) =>
            path == BootIdPath && files.BootId is { } bootId ? bootId.ToString() : base.ReadAllText(path);
    }

    private sealed class FaultyDirectory(FaultyFileSystem files) : DirectoryWrapper(files._real)
    {
        public override IDirectoryInfo CreateDirectory(string path)
        {
            files.Begin(FileOperation.CreateDirectory, path);
            return base.CreateDirectory(path);
        }

        public override void Delete(string path, bool recursive)
        {
            files.Begin(FileOperation.DeleteDirectory, path);
            base.Delete(path, recursive);
        }

        public override IEnumerable<string> EnumerateFiles(string path, string searchPattern)
        {
            files.Begin(FileOperation.List, path);
            return base.EnumerateFiles(path, searchPattern);
        }

        public override IEnumerable<string> EnumerateDirectories(string path)
        {
            files.Begin(FileOperation.List, path);
            return base.EnumerateDirectories(path);
        }
    }

    private sealed class FaultyDriveInfos(FaultyFileSystem files) : IDriveInfoFactory
    {
        public IFileSystem FileSystem => files;

        public IDriveInfo[] GetDrives() => files._real.DriveInfo.GetDrives();

        public IDriveInfo New(string driveName) => new FaultyDrive(files, new DriveInfo(driveName));

        public IDriveInfo? Wrap(DriveInfo? driveInfo) => files._real.DriveInfo.Wrap(driveInfo);
    }

    private sealed class FaultyDrive(FaultyFileSystem files, DriveInfo real) : DriveInfoWrapper(files._real, real)
    {
        public override long AvailableFreeSpace => files.FreeBytes?.Invoke() ?? base.AvailableFreeSpace;
    }

    private sealed class FaultyRandomAccess(FaultyFileSystem files, IRandomAccess real) : IRandomAccess
    {
        public IFileSystem FileSystem => files;

        public long GetLength(SafeFileHandle handle) => real.GetLength(handle);

        public void FlushToDisk(SafeFileHandle handle)
        {
            files.Begin(FileOperation.Flush, handle);
            real.FlushToDisk(handle);
        }

        public void SetLength(SafeFileHandle handle, long length)
        {
            files.Begin(FileOperation.SetLength, handle);
            real.SetLength(handle, length);
        }

        public int Read(SafeFileHandle handle, Span<byte> buffer, long fileOffset)
        {
            var striking = files.Begin(FileOperation.Read, handle, buffer.Length);
            int read = real.Read(handle, buffer, fileOffset);
            striking.ForEach(fault => fault.Done?.Invoke());
            return read;
        }

        public void Write(SafeFileHandle handle, ReadOnlySpan<byte> buffer, long fileOffset)
        {
            var striking = files.Begin(FileOperation.Write, handle, buffer.Length, fileOffset);
            if (striking.Count == 0)
            {
                real.Write(handle, buffer, fileOffset);
                return;
            }

            byte[] bytes = striking.Aggregate(buffer.ToArray(), (altered, fault) => fault.Alter?.Invoke(altered) ?? altered);
            real.Write(handle, bytes, fileOffset);
            if (striking.Find(fault => fault.After is not null) is { } failing)
            {
                throw failing.After!();
            }
        }

        public long Read(SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset) => throw Unseen();

        public ValueTask<int> ReadAsync(
            SafeFileHandle handle, Memory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) => throw Unseen();

        public ValueTask<long> ReadAsync(
            SafeFileHandle handle, IReadOnlyList<Memory<byte>> buffers, long fileOffset, CancellationToken cancellationToken = default) =>
            throw Unseen();

        public void Write(SafeFileHandle handle, IReadOnlyList<ReadOnlyMemory<byte>> buffers, long fileOffset) => throw Unseen();

        public ValueTask WriteAsync(
            SafeFileHandle handle, ReadOnlyMemory<byte> buffer, long fileOffset, CancellationToken cancellationToken = default) =>
            throw Unseen();

        public ValueTask WriteAsync(
            SafeFileHandle handle,
            IReadOnlyList<ReadOnlyMemory<byte>> buffers,
            long fileOffset,
            CancellationToken cancellationToken = default) => throw Unseen();

        private static InvalidOperationException Unseen() => new("The store does not do this, so no fault could strike it.");
    }
}
