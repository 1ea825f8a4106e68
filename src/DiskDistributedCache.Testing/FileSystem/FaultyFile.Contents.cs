using System.IO.Abstractions;
using System.Runtime.CompilerServices;
using System.Text;

namespace DiskDistributedCache.Testing;

/// <summary>Whole files at once.</summary>
internal sealed partial class FaultyFile
{
    private static readonly Encoding s_utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    public byte[] ReadAllBytes(string path)
    {
        using var stream = Reading(path);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    public string ReadAllText(string path) => ReadAllText(path, Encoding.UTF8);

    public string ReadAllText(string path, Encoding encoding)
    {
        using var reader = new StreamReader(Reading(path), encoding);
        return reader.ReadToEnd();
    }

    public string[] ReadAllLines(string path) => ReadAllLines(path, Encoding.UTF8);

    public string[] ReadAllLines(string path, Encoding encoding) => [.. ReadLines(path, encoding)];

    public IEnumerable<string> ReadLines(string path) => ReadLines(path, Encoding.UTF8);

    public IEnumerable<string> ReadLines(string path, Encoding encoding) => LinesOf(new StreamReader(Reading(path), encoding));

    public void WriteAllBytes(string path, byte[] bytes) => Write(path, FileMode.Create, bytes);

    public void WriteAllBytes(string path, ReadOnlySpan<byte> bytes) => Write(path, FileMode.Create, bytes);

    public void WriteAllText(string path, string? contents) => WriteAllText(path, contents, s_utf8);

    public void WriteAllText(string path, string? contents, Encoding encoding) => WriteAllText(path, contents.AsSpan(), encoding);

    public void WriteAllText(string path, ReadOnlySpan<char> contents) => WriteAllText(path, contents, s_utf8);

    public void WriteAllText(string path, ReadOnlySpan<char> contents, Encoding encoding) =>
        WriteText(path, FileMode.Create, contents, encoding);

    public void WriteAllLines(string path, IEnumerable<string> contents) => WriteAllLines(path, contents, s_utf8);

    public void WriteAllLines(string path, string[] contents) => WriteAllLines(path, contents, s_utf8);

    public void WriteAllLines(string path, string[] contents, Encoding encoding) => WriteAllLines(path, contents.AsEnumerable(), encoding);

    public void WriteAllLines(string path, IEnumerable<string> contents, Encoding encoding) => WriteAllText(path, Lines(contents), encoding);

    public void AppendAllBytes(string path, byte[] bytes) => Write(path, FileMode.Append, bytes);

    public void AppendAllBytes(string path, ReadOnlySpan<byte> bytes) => Write(path, FileMode.Append, bytes);

    public void AppendAllText(string path, string? contents) => AppendAllText(path, contents, s_utf8);

    public void AppendAllText(string path, string? contents, Encoding encoding) => AppendAllText(path, contents.AsSpan(), encoding);

    public void AppendAllText(string path, ReadOnlySpan<char> contents) => AppendAllText(path, contents, s_utf8);

    public void AppendAllText(string path, ReadOnlySpan<char> contents, Encoding encoding) =>
        WriteText(path, FileMode.Append, contents, encoding);

    public void AppendAllLines(string path, IEnumerable<string> contents) => AppendAllLines(path, contents, s_utf8);

    public void AppendAllLines(string path, IEnumerable<string> contents, Encoding encoding) =>
        AppendAllText(path, Lines(contents), encoding);

    public Task<byte[]> ReadAllBytesAsync(string path, CancellationToken cancellationToken = default) =>
        Task.Run(() => ReadAllBytes(path), cancellationToken);

    public Task<string> ReadAllTextAsync(string path, CancellationToken cancellationToken = default) =>
        Task.Run(() => ReadAllText(path), cancellationToken);

    public Task<string> ReadAllTextAsync(string path, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => ReadAllText(path, encoding), cancellationToken);

    public Task<string[]> ReadAllLinesAsync(string path, CancellationToken cancellationToken = default) =>
        Task.Run(() => ReadAllLines(path), cancellationToken);

    public Task<string[]> ReadAllLinesAsync(string path, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => ReadAllLines(path, encoding), cancellationToken);

    public IAsyncEnumerable<string> ReadLinesAsync(string path, CancellationToken cancellationToken = default) =>
        ReadLinesAsync(path, Encoding.UTF8, cancellationToken);

    public IAsyncEnumerable<string> ReadLinesAsync(string path, Encoding encoding, CancellationToken cancellationToken = default) =>
        LinesOfAsync(new StreamReader(Reading(path), encoding), cancellationToken);

    public Task WriteAllBytesAsync(string path, byte[] bytes, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllBytes(path, bytes), cancellationToken);

    public Task WriteAllBytesAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllBytes(path, bytes.Span), cancellationToken);

    public Task WriteAllTextAsync(string path, string? contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllText(path, contents), cancellationToken);

    public Task WriteAllTextAsync(string path, string? contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllText(path, contents, encoding), cancellationToken);

    public Task WriteAllTextAsync(string path, ReadOnlyMemory<char> contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllText(path, contents.Span), cancellationToken);

    public Task WriteAllTextAsync(
        string path, ReadOnlyMemory<char> contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllText(path, contents.Span, encoding), cancellationToken);

    public Task WriteAllLinesAsync(string path, IEnumerable<string> contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllLines(path, contents), cancellationToken);

    public Task WriteAllLinesAsync(
        string path, IEnumerable<string> contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => WriteAllLines(path, contents, encoding), cancellationToken);

    public Task AppendAllBytesAsync(string path, byte[] bytes, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllBytes(path, bytes), cancellationToken);

    public Task AppendAllBytesAsync(string path, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllBytes(path, bytes.Span), cancellationToken);

    public Task AppendAllTextAsync(string path, string? contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllText(path, contents), cancellationToken);

    public Task AppendAllTextAsync(string path, string? contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllText(path, contents, encoding), cancellationToken);

    public Task AppendAllTextAsync(string path, ReadOnlyMemory<char> contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllText(path, contents.Span), cancellationToken);

    public Task AppendAllTextAsync(
        string path, ReadOnlyMemory<char> contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllText(path, contents.Span, encoding), cancellationToken);

    public Task AppendAllLinesAsync(string path, IEnumerable<string> contents, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllLines(path, contents), cancellationToken);

    public Task AppendAllLinesAsync(
        string path, IEnumerable<string> contents, Encoding encoding, CancellationToken cancellationToken = default) =>
        Task.Run(() => AppendAllLines(path, contents, encoding), cancellationToken);

    private static string Lines(IEnumerable<string> lines) => string.Concat(lines.Select(line => line + Environment.NewLine));

    private static IEnumerable<string> LinesOf(StreamReader reader)
    {
        using (reader)
        {
            while (reader.ReadLine() is { } line)
            {
                yield return line;
            }
        }
    }

    private static async IAsyncEnumerable<string> LinesOfAsync(
        StreamReader reader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (reader)
        {
            while (await reader.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
            {
                yield return line;
            }
        }
    }

    /// <summary>What is read of a file: an override, or the file.</summary>
    private Stream Reading(string path)
    {
        if (disk.OverrideOf(path) is not { } text)
        {
            return OpenRead(path);
        }

        disk.Ask(FileOperation.Open, path);
        disk.Ask(FileOperation.Read, path);
        return new MemoryStream(s_utf8.GetBytes(text));
    }

    private void WriteText(string path, FileMode mode, ReadOnlySpan<char> text, Encoding encoding)
    {
        using var stream = Open(path, mode, FileAccess.Write, FileShare.Read);
        byte[] bytes = new byte[encoding.GetByteCount(text)];
        encoding.GetBytes(text, bytes);
        WriteTo(stream, stream.Position == 0 ? [.. encoding.Preamble, .. bytes] : bytes);
    }

    private void Write(string path, FileMode mode, ReadOnlySpan<byte> bytes)
    {
        using var stream = Open(path, mode, FileAccess.Write, FileShare.Read);
        WriteTo(stream, bytes);
    }

    private static void WriteTo(FileSystemStream stream, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.IsEmpty)
        {
            stream.Write(bytes);
        }
    }
}
