namespace PackageConsumer.Snippets;

// The bodies of the methods in this folder are the code of the README, line by line; a test compares them.
internal static class Responses
{
    private static int s_made;

    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.Services.AddDiskOutputCache();

        var app = builder.Build();
        app.UseOutputCache();
        app.MapGet("/report", () => MakeReport())
            .CacheOutput(policy => policy.Expire(TimeSpan.FromHours(1)).Tag("reports"));
        return app;
    }

    private static string MakeReport() => $"report {Interlocked.Increment(ref s_made)}";
}
