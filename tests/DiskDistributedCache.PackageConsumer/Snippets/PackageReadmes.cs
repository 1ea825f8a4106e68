using DiskDistributedCache.Testing;

namespace PackageConsumer.Snippets;

// What the packages themselves say.
internal static class PackageReadmes
{
    public static WebApplication Core(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskDistributedCache();
        return builder.Build();
    }

    public static WebApplication AspNetCore(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskOutputCache();

        var app = builder.Build();
        app.UseOutputCache();
        return app;
    }

    public static FaultInjectingFileSystem Testing()
    {
        var files = new FaultInjectingFileSystem();
        files.Fail(FileOperation.Write, "cache", error: DiskError.NoSpace);
        return files;
    }
}
