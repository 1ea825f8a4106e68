using DiskDistributedCache.Entries;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace DiskDistributedCache.AspNetCore;

/// <summary>
/// Takes a ticket for each request before its response is looked up, and with that before it is rendered. The store gets it from the
/// request, because the interface has no room for it. It is a base policy: it runs before every other that is
/// added after it, and decides nothing.
/// </summary>
internal sealed class RenderTicketPolicy(DiskCache cache) : IOutputCachePolicy
{
    public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
    {
        context.HttpContext.Features.Set(new RenderTicket(cache.TakeTicket().Ticket));
        return ValueTask.CompletedTask;
    }

    public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;

    public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation) => ValueTask.CompletedTask;
}

/// <summary>When the rendering of the response to a request began.</summary>
internal sealed class RenderTicket(Ticket ticket)
{
    /// <summary>The ticket of the request that is being answered; none outside of one.</summary>
    public static Ticket Of(IHttpContextAccessor? http) =>
        http?.HttpContext?.Features.Get<RenderTicket>() is { } feature ? feature.Value : default;

    private Ticket Value { get; } = ticket;
}
