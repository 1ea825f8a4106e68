using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// A Redis server of its own on a free port of the loopback, which keeps everything in memory and writes nothing to disk. It ends with
/// the run.
/// </summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(10);

    private readonly Process _process;

    private RedisServer(Process process, int port)
    {
        _process = process;
        Address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        AppDomain.CurrentDomain.ProcessExit += Kill;
    }

    /// <summary>Host and port, as a client wants them.</summary>
    public string Address { get; }

    /// <summary>Null where no Redis is installed.</summary>
    public static async Task<RedisServer?> TryStartAsync(string directory)
    {
        int port = FreePort();
        string[] arguments =
        [
            "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--save", "", "--appendonly", "no",
            "--dir", directory, "--logfile", "redis.log",
        ];
        Process process;
        try
        {
            process = Process.Start("redis-server", arguments);
        }
        catch (Win32Exception)
        {
            // There is no such program.
            return null;
        }

        var server = new RedisServer(process, port);
        await server.WaitUntilReadyAsync(port);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= Kill;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>A run that is terminated leaves no server behind.</summary>
    private void Kill(object? sender, EventArgs exit) => _process.Kill();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task WaitUntilReadyAsync(int port)
    {
        long started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                using var connection = new TcpClient();
                await connection.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (!_process.HasExited && Stopwatch.GetElapsedTime(started) < s_startLimit)
            {
                // It does not listen yet.
                await Task.Delay(TimeSpan.FromMilliseconds(20));
            }
            catch (SocketException problem)
            {
                await DisposeAsync();
                throw new InvalidOperationException("redis-server is installed but did not start.", problem);
            }
        }
    }
}
