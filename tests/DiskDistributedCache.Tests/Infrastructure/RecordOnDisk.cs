using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using DiskDistributedCache.Storage;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>
/// The newest record of a key in the files of a store, for a test that writes something else there: with checksums that verify, as
/// somebody would who knows the format. By the offsets that <c>docs/format.md</c> gives.
/// </summary>
internal sealed class RecordOnDisk
{
    private readonly string _path;
    private readonly int _at;
    private readonly byte[] _header;
    private readonly SegmentSeed _seed;

    private RecordOnDisk(string path, int at, byte[] bytes, SegmentSeed seed)
    {
        (_path, _at, _seed) = (path, at, seed);
        _header = bytes.AsSpan(at, 96).ToArray();
        int before = Length(8) + Length(12);
        KeyAndTags = bytes.AsSpan(at + 96, before).ToArray();
        Stored = bytes.AsSpan(at + 96 + before, Length(16)).ToArray();
    }

    /// <summary>The value as it is stored.</summary>
    public byte[] Stored { get; }

    public int Codec => _header[6];

    public int RawBytes => Length(20);

    public int Protection => Length(72);

    private byte[] KeyAndTags { get; }

    /// <param name="folder">The cache's own folder.</param>
    /// <param name="key">A key of the distributed cache.</param>
    public static RecordOnDisk Find(string folder, string key)
    {
        RecordOnDisk? newest = null;
        foreach (string path in Directory.EnumerateFiles(folder, "*.seg", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (ReadAll(path) is not { Length: > 0 } bytes)
            {
                continue;
            }

            long number = SegmentName.NumberIn(path);
            var seed = new SegmentSeed(new Guid(bytes.AsSpan(16, 16)), number);
            int at = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(48));
            while (RecordFormat.TryReadHeader(bytes.AsSpan(at), seed.At(at), out var header))
            {
                if (header.Kind == RecordKind.Value
                    && MemoryMarshal.Cast<byte, char>(bytes.AsSpan(at + 96, header.KeyBytes)).SequenceEqual(key)
                    && header.Sequence >= (newest is null ? 0 : BinaryPrimitives.ReadInt64LittleEndian(newest._header.AsSpan(24))))
                {
                    newest = new RecordOnDisk(path, at, bytes, seed.At(at));
                }

                at += (int)header.RecordBytes;
            }
        }

        return newest ?? throw new InvalidOperationException($"No record of '{key}' is on disk.");
    }

    /// <summary>Puts other bytes in the place of the value, as many as there were, and says something else of them.</summary>
    public void Replace(byte[]? stored = null, int? rawBytes = null, int? codec = null, int? protection = null, long? absolute = null)
    {
        byte[] payload = [.. KeyAndTags, .. stored ?? Stored];
        Assert.Equal(KeyAndTags.Length + Stored.Length, payload.Length);
        _header[6] = (byte)(codec ?? Codec);
        BinaryPrimitives.WriteInt32LittleEndian(_header.AsSpan(20), rawBytes ?? RawBytes);
        BinaryPrimitives.WriteInt32LittleEndian(_header.AsSpan(72), protection ?? Protection);
        BinaryPrimitives.WriteInt64LittleEndian(_header.AsSpan(48), absolute ?? BinaryPrimitives.ReadInt64LittleEndian(_header.AsSpan(48)));
        BinaryPrimitives.WriteUInt64LittleEndian(_header.AsSpan(80), XxHash3.HashToUInt64(payload, _seed.Seed));
        BinaryPrimitives.WriteUInt64LittleEndian(_header.AsSpan(88), XxHash3.HashToUInt64(_header.AsSpan(0, 88), _seed.Seed));
        using var file = new FileStream(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        file.Position = _at;
        file.Write([.. _header, .. payload]);
    }

    /// <summary>
    /// Whether a text is anywhere in the files of a folder, in UTF-8 or UTF-16. A file that a cache erases meanwhile holds nothing.
    /// </summary>
    public static bool Holds(string folder, string text) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(path => !path.EndsWith(".lock", StringComparison.Ordinal)).Any(path =>
        {
            byte[] bytes = ReadAll(path);
            return bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text)) >= 0
                || bytes.AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes(text)) >= 0;
        });

    private static byte[] ReadAll(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            byte[] bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // It was there when the folder was listed.
            return [];
        }
    }

    private int Length(int offset) => BinaryPrimitives.ReadInt32LittleEndian(_header.AsSpan(offset));
}
