using System.Text.Json;

namespace PackageConsumer.Snippets;

internal static class Observing
{
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics.AddMeter("DiskDistributedCache"))
            .WithTracing(tracing => tracing.AddSource("DiskDistributedCache"));
        builder.Services.AddDiskDistributedCache(options =>
        {
            options.SavedUnit = "token";
            options.SavedPerHit = static hit =>
            {
                using var answer = JsonDocument.Parse(hit.Value);
                return answer.RootElement.GetProperty("usage").GetProperty("total_tokens").GetInt64();
            };
        });
        return builder.Build();
    }
}
