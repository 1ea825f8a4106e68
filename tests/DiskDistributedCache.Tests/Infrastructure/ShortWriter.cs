using System.Buffers;

namespace DiskDistributedCache.Tests.Infrastructure;

/// <summary>A caller's writer that has less to offer than it is asked for, which it must not.</summary>
internal sealed class ShortWriter(int pieceBytes) : IBufferWriter<byte>
{
    private readonly ArrayBufferWriter<byte> _written = new();
    private byte[] _piece = [];

    public byte[] Written => _written.WrittenSpan.ToArray();

    public void Advance(int count) => _written.Write(_piece.AsSpan(0, count));

    public Memory<byte> GetMemory(int sizeHint = 0) => _piece = new byte[pieceBytes];

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
