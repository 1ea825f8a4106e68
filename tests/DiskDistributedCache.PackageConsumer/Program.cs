using System.IO.Abstractions;
using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;
using PackageConsumer;
using PackageConsumer.Snippets;

// Checks the packages in a folder, then uses them as the README says, over a restart each.
if (args is not [var feed, var directory, var sourceRoot])
{
    Console.Error.WriteLine("Arguments: the folder of the packages, a folder for caches, the root of the sources.");
    return 2;
}

PackedFiles.CheckAll(feed, sourceRoot);

await TwiceAsync("responses", Responses.Build, "/report", "report 1");
await TwiceAsync("items", Items.Build, "/items/7", "item 7, load 1");
await TwiceAsync("several caches", SeveralCaches.Build, "/images/cat", "image cat, drawing 1");
Check.That("a keyed cache has a folder inside the directory of the default one",
    Directory.Exists(Path.Combine(directory, "several caches", "images", "diskcache-v1")));
await TwiceAsync("encryption", Encryption.Build, "/secret", "secret 1");
await TwiceAsync("metrics and savings", Observing.Build, path: null, expected: "");
await TwiceAsync("the readme of the core package", PackageReadmes.Core, path: null, expected: "");
await TwiceAsync("the readme of the ASP.NET Core package", PackageReadmes.AspNetCore, path: null, expected: "");

await using (var cache = new DiskCache(new DiskDistributedCacheOptions { Directory = Path.Combine(directory, "tags") }))
{
    var status = await Tags.RunAsync(cache, "key", [1], new(), CancellationToken.None);
    Check.Equal("tags: evicted and cleared", "", cache.GetString("key") ?? "");
    Check.Equal("tags: the cache is in use", "Normal", status.Mode.ToString());
    await Tickets.StoreAsync(cache, "report", new(), () => Task.CompletedTask, CancellationToken.None);
    Check.That("tickets: a value is stored", await cache.GetAsync("report") is [1]);
    await Tickets.StoreAsync(cache, "report", new(), () => cache.EvictByTagAsync("reports").AsTask(), CancellationToken.None);
    Check.That("tickets: a value that was evicted while it was made is not", await cache.GetAsync("report") is null);
}

var (whileBroken, owed) = await BrokenDisk.RunAsync(CreateBuilder("broken disk"));
Check.Equal("broken disk: what was set is served", "12", whileBroken ?? "");
Check.That("broken disk: and owed to the disk", owed > 0);
await using (var cache = new DiskCache(new DiskDistributedCacheOptions { Directory = Path.Combine(directory, "broken disk") }))
{
    Check.Equal("broken disk: it is on the disk when that is healed", "12", await cache.GetStringAsync("price") ?? "");
}

IFileSystem broken = PackageReadmes.Testing();
await using (var cache = new DiskCache(new DiskDistributedCacheOptions { Directory = Path.Combine(directory, "cache") }, broken))
{
    await cache.SetStringAsync("key", "kept");
    Check.Equal("a cache whose disk takes nothing still answers", "kept", await cache.GetStringAsync("key") ?? "");
}

return Check.FailedCount > 0 ? 1 : 0;

// Builds an application, asks it twice, and asks a second one on the same folder: all three answers are the one that was made first.
async Task TwiceAsync(string what, Func<WebApplicationBuilder, WebApplication> build, string? path, string expected)
{
    for (int run = 1; run <= 2; run++)
    {
        await using var app = build(CreateBuilder(what));
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        // The output cache keeps the responses of each host apart, and the port is another one each time.
        client.DefaultRequestHeaders.Host = "shop.example";
        string first = path is null ? expected : await client.GetStringAsync(path);
        string second = path is null ? expected : await client.GetStringAsync(path);
        await app.StopAsync();
        Check.Equal($"{what}, {(run == 1 ? "asked twice" : "after a restart")}", expected, first == second ? first : "two answers");
    }
}

WebApplicationBuilder CreateBuilder(string what)
{
    var builder = WebApplication.CreateBuilder([
        "--urls=http://127.0.0.1:0",
        $"--DiskDistributedCache:Directory={Path.Combine(directory, what)}",
        "--DiskDistributedCache:IoTimeout=00:00:20",
    ]);
    builder.Logging.SetMinimumLevel(LogLevel.Warning);
    return builder;
}
