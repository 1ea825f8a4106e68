using DiskDistributedCache.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>
/// An application with a client of the cache, on a disk that breaks when a test says so and a clock that only the test moves. It can be
/// closed and started anew on the same directory, as often as a test likes.
/// </summary>
internal sealed class ClientScene(Action<IServiceCollection> addClient, Action<WebApplication>? useClient = null) : IAsyncDisposable
{
    private const int OperationStalled = 20;

    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("diskcache-client-test-").FullName;
    private WebApplication? _app;
    private Task _stalled = Task.CompletedTask;

    /// <summary>The clock of the cache, and of the clients that ask the container for one.</summary>
    public FakeTimeProvider Time { get; init; } = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    /// <summary>The disk of the cache; it goes on over restarts.</summary>
    public FaultInjectingFileSystem Files { get; } = new() { KeepsCalls = false };

    public ClientLog Log { get; } = new();

    /// <summary>
    /// How long callers wait for the disk. Long: a machine that is busy with other tests is not a sick disk. Counts from the next start on.
    /// </summary>
    public TimeSpan IoTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Further settings of the cache.</summary>
    public Action<DiskDistributedCacheOptions>? Configure { get; set; }

    /// <summary>Where the application listens; the default is in process.</summary>
    public Action<WebApplicationBuilder> Listen { get; init; } = builder => builder.WebHost.UseTestServer();

    public string Directory => _directory;

    public WebApplication App => _app ?? throw new InvalidOperationException("The application does not run.");

    public IServiceProvider Services => App.Services;

    public DiskCache Cache => Services.GetRequiredService<DiskCache>();

    public DiskCacheMode Mode => Cache.GetStatus().Mode;

    public HttpClient CreateClient() => App.GetTestClient();

    /// <summary>Starts the application, and waits until its store is open or has turned out not to open.</summary>
    public async Task<ClientScene> StartAsync()
    {
        await StartWithoutDiskAsync();
        await Cache.StartAsync();
        return this;
    }

    /// <summary>The same, and waits for the disk no longer than the host does.</summary>
    public async Task StartWithoutDiskAsync()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Test" });
        Listen(builder);
        builder.Logging.ClearProviders().AddProvider(Log);
        builder.Services.AddSingleton<TimeProvider>(Time);
        builder.Services.AddSingleton<System.IO.Abstractions.IFileSystem>(Files);
        addClient(builder.Services);

        // Behind what the client says, and behind the settings of the sample, which lie beside the tests.
        builder.Services.Configure<DiskDistributedCacheOptions>(UseDirectory);
        _app = builder.Build();
        useClient?.Invoke(_app);
        await _app.StartAsync();
    }

    /// <summary>Closes the application as a process ends in order.</summary>
    public async Task CloseAsync()
    {
        if (_app is not null)
        {
            // An application that is closed on a hung disk waits for it; not for as long as in real life.
            Cache.Tiers.CloseGrace = IoTimeout;
            await _app.StopAsync();
            await _app.DisposeAsync();
            _app = null;
        }
    }

    public async Task RestartAsync()
    {
        await CloseAsync();
        await StartAsync();
    }

    /// <summary>The disk breaks for good. Nobody has noticed yet.</summary>
    public void Break(Outage outage)
    {
        _stalled = outage == Outage.Hanging ? Log.NextAsync(OperationStalled) : Task.CompletedTask;
        Files.Break(outage);
    }

    /// <summary>Waits until the cache has noticed that the disk is broken and has given it up: it works from memory.</summary>
    public async Task GiveUpDiskAsync()
    {
        await NoticeAsync();
        await _stalled;
        while (Mode != DiskCacheMode.MemoryOnly)
        {
            // A disk is given up that hangs for five seconds, or fails more often than it may.
            Time.Advance(TimeSpan.FromMilliseconds(10));
            await NoticeAsync();
        }
    }

    /// <summary>The disk is well again, and the cache has it back.</summary>
    public async Task RegainDiskAsync()
    {
        Files.Heal();
        while (Mode != DiskCacheMode.Normal)
        {
            // What hung has to return first, on threads of its own; and a closed process lets go of its lock then.
            await Task.Yield();
            await Cache.Tiers.HeartbeatOnceAsync();
            await Cache.Tiers.RecoverOnceAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Files.Heal();
        await CloseAsync();
        System.IO.Directory.Delete(_directory, recursive: true);
    }

    private Task NoticeAsync() => Cache.SetAsync("noticed", [1], new DistributedCacheEntryOptions());

    private void UseDirectory(DiskDistributedCacheOptions options)
    {
        options.Directory = _directory;
        options.SegmentBytes = 64 << 10;
        options.MaxDiskBytes = 16 << 20;
        options.IoTimeout = IoTimeout;
        options.FailureThreshold = 1_000;
        Configure?.Invoke(options);
    }
}
