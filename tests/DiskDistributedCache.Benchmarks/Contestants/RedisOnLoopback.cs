using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.StackExchangeRedis;
using Microsoft.Extensions.Options;

namespace DiskDistributedCache.Benchmarks.Contestants;

/// <summary>
/// Redis behind the distributed cache of ASP.NET Core, in a server process of its own on a free port of the loopback, which keeps everything
/// in memory and writes nothing to disk.
/// </summary>
internal sealed class RedisOnLoopback : Contestant
{
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(10);
    private static readonly DistributedCacheEntryOptions s_noExpiry = new();

    private readonly Process _server;
    private readonly RedisCache _cache;
    private readonly ArrayBufferWriter<byte>[] _writers;

    private RedisOnLoopback(Workload workload, Process server, int port)
        : base("redis", workload)
    {
        _server = server;
        _cache = new RedisCache(Options.Create(new RedisCacheOptions
        {
            Configuration = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"),
        }));
        _writers = [.. Enumerable.Range(0, MaxCallers).Select(_ => new ArrayBufferWriter<byte>(workload.ValueBytes))];
    }

    /// <summary>Starts a server. Null where none is installed.</summary>
    public static async Task<Contestant?> TryOpenAsync(Workload workload, string directory)
    {
        int port = FreePort();
        string[] arguments =
        [
            "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--save", "", "--appendonly", "no",
            "--dir", directory, "--logfile", "redis.log",
        ];
        Process server;
        try
        {
            server = Process.Start("redis-server", arguments);
        }
        catch (Win32Exception)
        {
            // There is no such program.
            return null;
        }

        await WaitUntilReadyAsync(server, port);
        return new RedisOnLoopback(workload, server, port);
    }

    public override async ValueTask<ReadOnlyMemory<byte>> GetAsync(int caller, int entry)
    {
        var writer = _writers[caller];
        writer.ResetWrittenCount();
        return await ((IBufferDistributedCache)_cache).TryGetAsync(Workload.Key(entry), writer) ? writer.WrittenMemory : default;
    }

    public override ValueTask SetAsync(int caller, int entry) =>
        new(_cache.SetAsync(Workload.Key(entry), Workload.Value(entry), s_noExpiry));

    public override async ValueTask DisposeAsync()
    {
        _cache.Dispose();
        await StopAsync(_server);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task WaitUntilReadyAsync(Process server, int port)
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
            catch (SocketException) when (!server.HasExited && Stopwatch.GetElapsedTime(started) < s_startLimit)
            {
                // It does not listen yet.
                await Task.Delay(TimeSpan.FromMilliseconds(20));
            }
            catch (SocketException problem)
            {
                await StopAsync(server);
                throw new InvalidOperationException("redis-server is installed but did not start.", problem);
            }
        }
    }

    private static async Task StopAsync(Process server)
    {
        server.Kill();
        await server.WaitForExitAsync();
        server.Dispose();
    }
}
