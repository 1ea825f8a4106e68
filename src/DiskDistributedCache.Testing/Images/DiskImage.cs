using System.IO.Abstractions;

namespace DiskDistributedCache.Testing;

/// <summary>
/// What a folder and all in it hold at some moment, in memory: what a killed process or a power cut leaves behind. A test writes it to
/// another folder and opens that.
/// </summary>
public sealed class DiskImage
{
    private readonly string _folder;
    private readonly Dictionary<string, TrackedFile> _names;
    private readonly Dictionary<TrackedFile, FileContent> _contents;
    private readonly HashSet<string> _folders;

    private DiskImage(DiskImage other)
    {
        _folder = other._folder;
        _names = new(other._names);
        _contents = other._contents.ToDictionary(file => file.Key, file => file.Value.Copy());
        _folders = [.. other._folders];
    }

    /// <summary>The folder as it is now.</summary>
    internal DiskImage(IFileSystem fileSystem, FileTable table, string folder)
    {
        _folder = folder;
        _names = [];
        _contents = [];
        _folders = [];
        if (!fileSystem.Directory.Exists(folder))
        {
            return;
        }

        _folders.UnionWith(fileSystem.Directory.GetDirectories(folder, "*", SearchOption.AllDirectories));
        foreach (string path in fileSystem.Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            var file = _names[path] = table.At(path);
            ContentOf(file).Write(fileSystem.File.ReadAllBytes(path), 0);
        }
    }

    /// <summary>The files, by their paths relative to the folder, in order.</summary>
    public IReadOnlyList<string> Files => [.. _names.Keys.Select(Relative).Order(StringComparer.Ordinal)];

    /// <summary>The content of a file.</summary>
    /// <param name="relativePath">Its path relative to the folder.</param>
    /// <exception cref="FileNotFoundException">There is no such file in the image.</exception>
    public byte[] ReadAllBytes(string relativePath)
    {
        if (!_names.TryGetValue(Path.Combine(_folder, relativePath), out var file))
        {
            throw DiskError.NotFound.ToException(relativePath);
        }

        using var stream = new MemoryStream();
        ContentOf(file).WriteTo(stream);
        return stream.ToArray();
    }

    /// <summary>Makes a folder hold what the image holds, and nothing else: whatever it held before is deleted.</summary>
    /// <param name="folder">The folder; created if it is not there.</param>
    /// <param name="fileSystem">Where it is; null for the real file system.</param>
    public void WriteTo(string folder, IFileSystem? fileSystem = null)
    {
        fileSystem ??= new FileSystem();
        if (fileSystem.Directory.Exists(folder))
        {
            fileSystem.Directory.Delete(folder, recursive: true);
        }

        fileSystem.Directory.CreateDirectory(folder);
        foreach (string path in _folders)
        {
            fileSystem.Directory.CreateDirectory(Path.Combine(folder, Relative(path)));
        }

        foreach (var (path, file) in _names)
        {
            string target = Path.Combine(folder, Relative(path));
            fileSystem.Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var stream = fileSystem.FileStream.New(target, FileMode.Create, FileAccess.ReadWrite);
            ContentOf(file).WriteTo(stream);
        }
    }

    internal DiskImage Copy() => new(this);

    /// <summary>
    /// Does a change. When changes before it were left out, as much of it is done as makes sense: a file that was renamed is there
    /// under its new name even if its creation was lost.
    /// </summary>
    internal void Apply(DiskChange change, int maxBytes = int.MaxValue)
    {
        switch (change.Operation)
        {
            case FileOperation.Open:
                Name(change.Path, change.File!);
                break;
            case FileOperation.Write:
                ContentOf(change.File!).Write(change.Bytes.Span[..Math.Min(maxBytes, change.Bytes.Length)], change.Offset);
                break;
            case FileOperation.SetLength:
                ContentOf(change.File!).SetLength(change.Offset);
                break;
            case FileOperation.Move when change.File is null:
                MoveFolder(change.OldPath!, change.Path);
                break;
            case FileOperation.Move:
                Unname(change.OldPath!, change.File, isGone: false);
                Name(change.Path, change.File);
                break;
            case FileOperation.Delete:
                Unname(change.Path, change.File!, isGone: true);
                break;
            case FileOperation.CreateDirectory:
                _folders.Add(change.Path);
                break;
            case FileOperation.DeleteDirectory:
                DeleteFolder(change.Path);
                break;
        }
    }

    private void Name(string path, TrackedFile file)
    {
        if (!FilePath.IsUnder(path, _folder))
        {
            return;
        }

        if (_names.TryGetValue(path, out var replaced) && replaced != file)
        {
            _contents.Remove(replaced);
        }

        _names[path] = file;
    }

    private void Unname(string path, TrackedFile file, bool isGone)
    {
        if (_names.TryGetValue(path, out var named) && named == file)
        {
            _names.Remove(path);
        }

        if (isGone)
        {
            _contents.Remove(file);
        }
    }

    private void MoveFolder(string from, string to)
    {
        foreach (var (path, file) in _names.Where(name => FilePath.IsUnder(name.Key, from)).ToList())
        {
            _names.Remove(path);
            Name(FilePath.Moved(path, from, to), file);
        }

        var moved = _folders.Where(path => path == from || FilePath.IsUnder(path, from)).ToList();
        _folders.ExceptWith(moved);
        _folders.UnionWith(moved.Select(path => FilePath.Moved(path, from, to)));
        _folders.Add(to);
    }

    private void DeleteFolder(string folder)
    {
        _folders.RemoveWhere(path => path == folder || FilePath.IsUnder(path, folder));
        foreach (var (path, file) in _names.Where(name => FilePath.IsUnder(name.Key, folder)).ToList())
        {
            Unname(path, file, isGone: true);
        }
    }

    private FileContent ContentOf(TrackedFile file)
    {
        if (!_contents.TryGetValue(file, out var content))
        {
            _contents[file] = content = new FileContent();
        }

        return content;
    }

    private string Relative(string path) => Path.GetRelativePath(_folder, path);
}
