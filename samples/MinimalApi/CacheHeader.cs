using DiskDistributedCache;

namespace MinimalApi;

/// <summary>
/// The response header X-Cache: MISS, HIT memory or HIT disk. Its middleware stands before UseOutputCache and writes when the
/// response starts, because a cached response replays the headers that it was stored with.
/// </summary>
internal static class CacheHeader
{
    private const string Name = "X-Cache";
    private static readonly object s_shown = new();
    private static readonly object s_computed = new();

    public static void UseCacheHeader(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        if (context.GetEndpoint()?.Metadata.Contains(s_shown) != true)
        {
            await next(context);
            return;
        }

        using var lookup = DiskCacheLookup.Begin();
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[Name] = Describe(context, lookup);
            return Task.CompletedTask;
        });
        await next(context);
    });

    /// <summary>Gives the responses of an endpoint the header.</summary>
    public static void ShowCacheHeader(this IEndpointConventionBuilder endpoint) => endpoint.WithMetadata(s_shown);

    /// <summary>Notes that this request makes its answer itself.</summary>
    public static void MarkComputed(this HttpContext context) => context.Items[s_computed] = true;

    private static string Describe(HttpContext context, DiskCacheLookup lookup)
    {
        if (context.Items.ContainsKey(s_computed))
        {
            return "MISS";
        }

        // Requests for one key at one time share a lookup. Who joined in has observed none, and is answered from memory.
        return lookup.Tier == DiskCacheTier.Disk ? "HIT disk" : "HIT memory";
    }
}
