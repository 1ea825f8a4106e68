using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.AspNetCore.Tests;

/// <summary>What the sample site answers; <see cref="Cache"/> is its header X-Cache.</summary>
internal sealed record SampleAnswer(HttpStatusCode Status, string? Cache, string Body);

/// <summary>The sample site over a directory, as <c>dotnet run</c> starts it unless another environment is asked for.</summary>
internal sealed class SampleSite(string directory, string? environment = null) : WebApplicationFactory<Program>
{
    /// <summary>How long its callers wait for the disk. Long: a machine that is busy with other tests is not a sick disk.</summary>
    public TimeSpan IoTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The clock of the site; null for the system's.</summary>
    public TimeProvider? Time { get; init; }

    public async Task<SampleAnswer> GetAsync(string path)
    {
        using var client = await ConnectAsync();
        using var response = await client.GetAsync(path, TestContext.Current.CancellationToken);
        return await ReadAsync(response);
    }

    public async Task<SampleAnswer> PostAsync(string path)
    {
        using var client = await ConnectAsync();
        using var response = await client.PostAsync(path, content: null, TestContext.Current.CancellationToken);
        return await ReadAsync(response);
    }

    public Task<SampleAnswer> EvictAsync(string tag) => PostAsync($"/evict/{tag}");

    public async Task<string[]> ReportNamesAsync() =>
        JsonSerializer.Deserialize<string[]>((await GetAsync("/reports")).Body) ?? [];

    /// <summary>
    /// Closes the cache first, and waits for that: the site's own thread and the factory both dispose of the services, and the one that
    /// comes second does not wait for the other.
    /// </summary>
    public override async ValueTask DisposeAsync()
    {
        await Services.GetRequiredService<DiskCache>().DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder) => builder
        .UseEnvironment(environment ?? Environments.Production)
        .UseSetting("DiskDistributedCache:Directory", directory)
        .UseSetting("DiskDistributedCache:IoTimeout", IoTimeout.ToString())
        .ConfigureLogging(logging => logging.ClearProviders())
        .ConfigureTestServices(services =>
        {
            if (Time is not null)
            {
                services.AddSingleton(Time);
            }
        });

    /// <summary>The host waits for the store for two seconds; on a machine that is busy with other tests opening it may take longer.</summary>
    private async Task<HttpClient> ConnectAsync()
    {
        var client = CreateClient();
        await Services.GetRequiredService<DiskCache>().StartAsync();
        return client;
    }

    private static async Task<SampleAnswer> ReadAsync(HttpResponseMessage response) => new(
        response.StatusCode,
        response.Headers.TryGetValues("X-Cache", out var values) ? Assert.Single(values) : null,
        await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
}
