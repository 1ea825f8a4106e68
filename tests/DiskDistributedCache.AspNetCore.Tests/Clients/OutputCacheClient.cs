using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;

namespace DiskDistributedCache.AspNetCore.Tests.Clients;

/// <summary>Responses of an endpoint, cached by a named policy that tags each with its route.</summary>
public sealed class OutputCacheClient : CacheClient
{
    private const string ValueHeader = "X-If-Made";

    internal override ClientScene Scene { get; } = new(
        services => services
            .AddDiskOutputCache()
            .AddOutputCache(options => options.AddPolicy("values", policy => policy
                .AddPolicy<TagsOfTheRoute>()
                .Expire(TimeSpan.FromDays(1)))),
        app =>
        {
            app.UseOutputCache();
            app.MapGet("/values/{group}/{key}", (HttpRequest request) => $"{request.Headers[ValueHeader]}").CacheOutput("values");
            app.MapDelete("/tags/{**tag}", (string tag, IOutputCacheStore store, CancellationToken token) =>
                store.EvictByTagAsync(tag, token).AsTask());
        });

    public override async Task<string> AskAsync(string group, string key, string ifMade)
    {
        using var client = Scene.CreateClient();
        client.DefaultRequestHeaders.Add(ValueHeader, ifMade);
        return await client.GetStringAsync(new Uri($"/values/{group}/{key}", UriKind.Relative));
    }

    /// <summary>A response cannot be set, only be rendered anew.</summary>
    public override async Task SetAsync(string group, string key, string value)
    {
        await RemoveAsync(group, key);
        Assert.Equal(value, await AskAsync(group, key, value));
    }

    public override Task RemoveAsync(string group, string key) => EvictAsync($"{group}/{key}");

    public override Task RemoveGroupAsync(string group) => EvictAsync(group);

    private async Task EvictAsync(string tag)
    {
        using var client = Scene.CreateClient();
        using var response = await client.DeleteAsync(new Uri($"/tags/{tag}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private sealed class TagsOfTheRoute : IOutputCachePolicy
    {
        public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            var route = context.HttpContext.Request.RouteValues;
            context.Tags.Add($"{route["group"]}");
            context.Tags.Add($"{route["group"]}/{route["key"]}");
            return ValueTask.CompletedTask;
        }

        public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;

        public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;
    }
}
