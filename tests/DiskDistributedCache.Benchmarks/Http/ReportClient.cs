using System.Buffers.Text;
using System.Net.Sockets;
using System.Text;

namespace DiskDistributedCache.Benchmarks.Http;

/// <summary>
/// One connection that asks for the report again and again: no more of HTTP than that takes, so that the processors are left to the
/// site. Every answer has to be the cached one, byte for byte.
/// </summary>
internal sealed class ReportClient : IDisposable
{
    private const int BufferBytes = 64 * 1024;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _request;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly byte[] _body;

    public ReportClient(Uri address)
    {
        _request = Encoding.ASCII.GetBytes($"GET {ReportSite.Path} HTTP/1.1\r\nHost: {address.Authority}\r\n\r\n");
        _socket.Connect(address.Host, address.Port);
        _body = Exchange().ToArray();
    }

    /// <summary>Asks once more.</summary>
    /// <exception cref="InvalidDataException">The answer is not the cached one.</exception>
    public void Ask()
    {
        if (!Exchange().SequenceEqual(_body))
        {
            throw new InvalidDataException("The site made the report anew: what was measured is not its cache.");
        }
    }

    public void Dispose() => _socket.Dispose();

    private ReadOnlySpan<byte> Exchange()
    {
        _socket.Send(_request);
        int received = 0;
        while (true)
        {
            int count = _socket.Receive(_buffer.AsSpan(received));
            if (count == 0)
            {
                throw new InvalidDataException("The site closed the connection.");
            }

            received += count;
            int head = _buffer.AsSpan(0, received).IndexOf("\r\n\r\n"u8);
            if (head >= 0 && received >= head + 4 + LengthIn(_buffer.AsSpan(0, head)))
            {
                return _buffer.AsSpan(head + 4, received - head - 4);
            }
        }
    }

    private static int LengthIn(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> name = "Content-Length: "u8;
        int at = head.IndexOf(name);
        if (!head.StartsWith("HTTP/1.1 200 "u8) || at < 0 || !Utf8Parser.TryParse(head[(at + name.Length)..], out int length, out _))
        {
            throw new InvalidDataException($"The site answered: {Encoding.ASCII.GetString(head)}");
        }

        return length;
    }
}
