using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using DiskDistributedCache;
using Microsoft.Extensions.Caching.Distributed;
using MinimalApi;

var builder = WebApplication.CreateBuilder(args);

// One cache for data (IDistributedCache) and for responses (output cache). Both read the section DiskDistributedCache of the
// configuration: appsettings.json, the environment, the command line.
builder.Services.AddDiskDistributedCache();
builder.Services.AddDiskOutputCache();
builder.Services.AddOutputCache(options => options.AddPolicy("report", policy => policy
    .Expire(TimeSpan.FromHours(1))
    .Tag("reports")
    // A report depends on its name only. Without these two lines anybody could fill the cache with invented query strings.
    .SetVaryByQuery([])
    .SetVaryByHost(false)));
builder.Services.AddHealthChecks().AddDiskDistributedCache();
if (builder.Environment.IsDevelopment())
{
    builder.Services.AddBreakableDisk();
}

builder.Services.AddSingleton<StrikeLog>();
builder.Services.AddSingleton<Reports>();
builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, SampleJson.Default));

var app = builder.Build();

app.UseCacheHeader();
app.UseOutputCache();

app.MapGet("/", () => Results.Content(HomePage.Html, "text/html; charset=utf-8"));

app.MapGet("/reports", () => Reports.Names);

app.MapGet("/reports/{name}", (string name, Reports reports, HttpContext context) =>
{
    context.MarkComputed();
    return reports.Compute(name) is { } report ? Results.Ok(report) : Results.NotFound();
}).CacheOutput("report").ShowCacheHeader();

var itemLifetime = new DistributedCacheEntryOptions { SlidingExpiration = TimeSpan.FromMinutes(10) };

app.MapGet("/items/{id:int}", async (int id, IDistributedCache cache, StrikeLog log, HttpContext context) =>
{
    var key = $"strike:{id}";
    var json = await cache.GetAsync(key, context.RequestAborted);
    if (json is null)
    {
        context.MarkComputed();
        if (log.Find(id) is not { } strike)
        {
            return Results.NotFound();
        }

        json = JsonSerializer.SerializeToUtf8Bytes(strike, SampleJson.Default.Strike);
        await cache.SetAsync(key, json, itemLifetime, context.RequestAborted);
    }

    return Results.Bytes(json, "application/json; charset=utf-8");
}).ShowCacheHeader();

// Anybody may evict here. An app of your own puts RequireAuthorization behind this line.
app.MapPost("/evict/{tag}", async (string tag, DiskCache cache, CancellationToken cancellationToken) =>
{
    const int MaxTagLength = 64;
    if (tag.Length > MaxTagLength)
    {
        return Results.Text($"A tag has at most {MaxTagLength} characters.", statusCode: StatusCodes.Status400BadRequest);
    }

    await cache.EvictByTagAsync(tag, cancellationToken);
    return Results.Ok(new Eviction(tag));
});

app.MapGet("/status", (DiskCache cache) => cache.GetStatus());
app.MapHealthChecks("/health");
if (app.Environment.IsDevelopment())
{
    // Not for your own application: the page /disk breaks the disk on purpose.
    app.MapDiskPage();
}

app.Run();
