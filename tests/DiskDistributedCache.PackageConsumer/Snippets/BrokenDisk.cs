using System.IO.Abstractions;
using DiskDistributedCache;
using DiskDistributedCache.Testing;
using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class BrokenDisk
{
    public static async Task<(string? WhileBroken, long Owed)> RunAsync(WebApplicationBuilder builder)
    {
        var disk = new FaultInjectingFileSystem();
        builder.Services.AddSingleton<IFileSystem>(disk);
        builder.Services.AddDiskDistributedCache();

        await using var app = builder.Build();
        await app.StartAsync();
        var cache = app.Services.GetRequiredService<DiskCache>();
        await cache.SetStringAsync("price", "10");

        disk.Fail(FileOperation.Any);                          // every call: EIO
        await cache.SetStringAsync("price", "12");             // acknowledged, served from memory, owed to the disk
        string? whileBroken = await cache.GetStringAsync("price");
        long owed = cache.GetStatus().OwedWrites;

        disk.Heal();                                           // written with the next change, or within HeartbeatInterval
        await cache.SetStringAsync("other", "1");
        await app.StopAsync();
        return (whileBroken, owed);
    }
}
