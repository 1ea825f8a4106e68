using System.Buffers;
using DiskDistributedCache.Entries;
using Microsoft.Extensions.Caching.Distributed;

namespace DiskDistributedCache.Reliability.Families;

/// <summary>Keys, values and buffers that are not what one expects.</summary>
internal static class HostileValues
{
    public const int MaxBytes = 2 << 20;

    private const int ManySegments = 10_000;

    /// <summary>Paths, names of devices, controls, lone surrogates, and texts that are the same after folding, normalising or encoding.</summary>
    public static string[] Keys { get; } =
    [
        "", " ", "../../etc/passwd", "/abs", @"C:\x", @"\\?\x", @"a/b\\c", "\0", "a\0b", "\r\n", "CON", "NUL.txt", "aux.", "dot.", "space ",
        new('a', 255), new('a', 256), new('k', 32 << 10), new('m', 512 << 10),
        "\ud800", "\ud801", "\udc00", "x\ud800", "x\udfff", "\ufffd", "x\ufffd",
        "caf\u00e9", "cafe\u0301", "K", "k", "\u212a", "ß", "SS", "ss", "i", "I", "\u0130", "\u0131", "\u202eabc", "abc",
        "\ud83d\udc69\u200d\ud83d\udcbb", "\uffff", "\ufeff", "__MSFT_HCT__x", "a", "A",
    ];

    public static int[] Lengths { get; } =
        [0, 1, 4095, 4096, 4097, 84_999, 85_000, 85_001, (1 << 20) - 1, 1 << 20, MaxBytes - 1, MaxBytes, MaxBytes + 1];

    public static bool IsRetained(CacheKey key) => key.Space == KeySpace.Data && key.Text.StartsWith("__MSFT_HCT__", StringComparison.Ordinal);

    /// <summary>Some, the longest seldom.</summary>
    public static string[] DrawKeys(Random random)
    {
        string[] keys = [.. Keys.Where(key => key.Length < 10_000 || random.Next(4) == 0)];
        random.Shuffle(keys);
        return keys[..8];
    }

    public static string Describe(string key) => key.Length > 40
        ? $"of {key.Length} characters"
        : string.Concat(key.Select(unit => unit is > ' ' and < '\u007f' ? unit.ToString() : $"\\u{(int)unit:x4}"));

    /// <summary>A value in one piece, in a few, or in very many.</summary>
    public static ReadOnlySequence<byte> Cut(byte[] value, Random random)
    {
        int count = random.Next(4) switch { 0 => 2, 1 => ManySegments, _ => 1 };
        if (count == 1)
        {
            return new ReadOnlySequence<byte>(value);
        }

        var first = new Piece(value.AsMemory(0, 0), null);
        var last = first;
        int length = (value.Length + count - 1) / count;
        for (int i = 0; i < count; i++)
        {
            int at = Math.Min(value.Length, i * length);
            last = new Piece(value.AsMemory(at, Math.Min(length, value.Length - at)), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>A caller's null is the caller's mistake, and nothing else is.</summary>
    public static async Task CheckNullsAsync(HostileScene scene, DiskCache cache)
    {
        (string Name, Func<Task> Call)[] calls =
        [
            ("Get", () => Task.FromResult(cache.Get(null!))),
            ("GetAsync", () => cache.GetAsync(null!)),
            ("Set", () => Task.Run(() => cache.Set(null!, new byte[1], new DistributedCacheEntryOptions()))),
            ("SetAsync", () => cache.SetAsync("k", null!, new DistributedCacheEntryOptions())),
            ("RemoveAsync", () => cache.RemoveAsync(null!)),
            ("RefreshAsync", () => cache.RefreshAsync(null!)),
            ("EvictByTagAsync", () => cache.EvictByTagAsync(null!).AsTask()),
            ("TryGetAsync", () => cache.TryGetAsync("k", null!).AsTask()),
        ];
        foreach (var (name, call) in calls)
        {
            try
            {
                await call();
                scene.Violate($"{name} accepts null");
            }
            catch (ArgumentNullException)
            {
                // As it says.
            }
        }
    }

    /// <summary>Reads a value into buffers that are short, that throw, and that say nonsense.</summary>
    public static async Task ReadThroughBuffersAsync(HostileScene scene, DiskCache cache, CacheKey key)
    {
        foreach (var kind in Enum.GetValues<BufferKind>())
        {
            var buffer = new HostileBuffer(kind, scene.Random.Next(1, 5000));
            try
            {
                bool isThere = scene.Random.Next(2) == 0 ? cache.TryGet(key.Text, buffer) : await cache.TryGetAsync(key.Text, buffer);
                scene.Judge(key, isThere ? buffer.Written : null, mustBeThere: true);
            }
            catch (HostileException) when (kind is BufferKind.ThrowsAtOnce or BufferKind.ThrowsLater)
            {
                // The caller's own.
            }
            catch (ArgumentException) when (kind == BufferKind.Empty)
            {
                // What the platform says to a buffer without room.
            }
        }
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}

internal enum BufferKind
{
    Short,
    Long,
    ThrowsAtOnce,
    ThrowsLater,
    Empty,
}

internal sealed class HostileException : Exception;

/// <summary>A caller's buffer that gives less than it was asked for, nothing, or an exception.</summary>
internal sealed class HostileBuffer(BufferKind kind, int pieceBytes) : IBufferWriter<byte>
{
    private readonly ArrayBufferWriter<byte> _written = new();
    private byte[] _piece = [];
    private int _callCount;

    public byte[] Written => _written.WrittenSpan.ToArray();

    public void Advance(int count)
    {
        if (kind == BufferKind.ThrowsLater && ++_callCount > 1)
        {
            throw new HostileException();
        }

        _written.Write(_piece.AsSpan(0, count));
    }

    public Memory<byte> GetMemory(int sizeHint = 0) => _piece = kind switch
    {
        BufferKind.ThrowsAtOnce => throw new HostileException(),
        BufferKind.Empty => [],
        BufferKind.Long => new byte[Math.Max(sizeHint, HostileValues.MaxBytes)],
        _ => new byte[pieceBytes],
    };

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
