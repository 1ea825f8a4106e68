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
    /// <summary>Room for the answers to as many requests as are ever sent at once.</summary>
    private const int BufferBytes = 256 * 1024;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _request;
    private readonly byte[] _requests;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private byte[]? _body;

    /// <param name="address">The site.</param>
    /// <param name="depth">How many requests <see cref="AskMany"/> sends at once.</param>
    public ReportClient(Uri address, int depth)
    {
        _request = Encoding.ASCII.GetBytes($"GET {ReportSite.Path} HTTP/1.1\r\nHost: {address.Authority}\r\n\r\n");
        _requests = [.. Enumerable.Repeat(_request, depth).SelectMany(request => request)];
        _socket.Connect(address.Host, address.Port);
        Ask();
    }

    /// <summary>Asks once more.</summary>
    /// <exception cref="InvalidDataException">The answer is not the cached one.</exception>
    public void Ask() => Exchange(_request);

    /// <summary>Asks many times at once and then reads all answers.</summary>
    /// <exception cref="InvalidDataException">An answer is not the cached one.</exception>
    public void AskMany() => Exchange(_requests);

    public void Dispose() => _socket.Dispose();

    private void Exchange(byte[] requests)
    {
        _socket.Send(requests);
        int read = 0;
        int received = 0;
        for (int left = requests.Length / _request.Length; left > 0;)
        {
            if (AnswerIn(_buffer.AsSpan(read, received - read), out var body) is var length and > 0)
            {
                _body ??= body.ToArray();
                read += body.SequenceEqual(_body)
                    ? length
                    : throw new InvalidDataException("The site made the report anew: what was measured is not its cache.");
                left--;
            }
            else
            {
                int count = _socket.Receive(_buffer.AsSpan(received));
                received += count > 0 ? count : throw new InvalidDataException("The site closed the connection.");
            }
        }
    }

    /// <summary>The length of the first answer, head and body, or 0 where it is not all there yet.</summary>
    private static int AnswerIn(ReadOnlySpan<byte> received, out ReadOnlySpan<byte> body)
    {
        body = default;
        int head = received.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return 0;
        }

        int length = LengthIn(received[..head]);
        if (received.Length < head + 4 + length)
        {
            return 0;
        }

        body = received.Slice(head + 4, length);
        return head + 4 + length;
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
