using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MinimalApi;

namespace DiskDistributedCache.Benchmarks.Http;

/// <summary>
/// The cached report of the sample site on Kestrel, with the output-cache store that is asked for: a process of its own, which prints
/// its address and ends when its input does.
/// </summary>
internal static class ReportSite
{
    /// <summary>The name of the command, which users do not call.</summary>
    public const string Command = "serve";

    public const string MemoryStore = "memorystore";
    public const string RedisStore = "redis";
    public const string OursInMemory = "ours-memory";
    public const string OursOnDisk = "ours-disk";

    public const string Path = "/reports/cost-by-species";

    /// <param name="store">One of the names above.</param>
    /// <param name="place">The directory of our cache, or the address of Redis.</param>
    public static async Task<int> RunAsync(string store, string place)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, SampleJson.Default));
        builder.Services.AddSingleton<StrikeLog>();
        builder.Services.AddSingleton<Reports>();
        AddStore(builder.Services, store, place);
        builder.Services.AddOutputCache(options => options.AddPolicy("report", policy => policy
            .Expire(TimeSpan.FromHours(1))
            .Tag("reports")
            .SetVaryByQuery([])
            .SetVaryByHost(false)));

        await using var site = builder.Build();
        site.UseOutputCache();
        site.MapGet("/reports/{name}", (string name, Reports reports) =>
            reports.Compute(name) is { } report ? Results.Ok(report) : Results.NotFound()).CacheOutput("report");
        await site.StartAsync();
        await Console.Out.WriteLineAsync(site.Urls.First());

        await Console.In.ReadToEndAsync();
        await site.StopAsync();
        return 0;
    }

    private static void AddStore(IServiceCollection services, string store, string place)
    {
        switch (store)
        {
            case MemoryStore:
                break;
            case RedisStore:
                services.AddStackExchangeRedisOutputCache(options => options.Configuration = place);
                break;
            case OursInMemory:
                services.AddDiskOutputCache(options => options.Directory = place);
                break;
            case OursOnDisk:
                services.AddDiskOutputCache(options => (options.Directory, options.MaxMemoryBytes) = (place, 0));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(store), store, "No site has this store.");
        }
    }
}
