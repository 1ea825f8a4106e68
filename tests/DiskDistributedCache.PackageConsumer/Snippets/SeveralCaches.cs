using Microsoft.Extensions.Caching.Distributed;

namespace PackageConsumer.Snippets;

internal static class SeveralCaches
{
    private static int s_drawn;

    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskDistributedCache();
        builder.Services.AddKeyedDiskDistributedCache("images", options => options.MaxDiskBytes = 10L << 30);
        builder.Services.AddHealthChecks().AddDiskDistributedCache().AddKeyedDiskDistributedCache("images");

        var app = builder.Build();
        app.MapGet("/images/{name}", async (string name, [FromKeyedServices("images")] IDistributedCache images) =>
            Results.Bytes(await images.GetAsync(name) ?? await DrawAsync(name, images), "image/png"));
        return app;
    }

    private static async Task<byte[]> DrawAsync(string name, IDistributedCache images)
    {
        byte[] image = System.Text.Encoding.UTF8.GetBytes($"image {name}, drawing {Interlocked.Increment(ref s_drawn)}");
        await images.SetAsync(name, image);
        return image;
    }
}
