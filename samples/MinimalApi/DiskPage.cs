using System.Globalization;
using System.IO.Abstractions;
using System.Text.Encodings.Web;
using DiskDistributedCache;

namespace MinimalApi;

/// <summary>
/// The page on which one watches the disk die: GET /disk shows what the cache does, POST /disk/{fault} breaks or heals the disk below
/// it. In development only; an application that is in use has neither of the two.
/// </summary>
internal static class DiskPage
{
    private static readonly string s_buttons =
        string.Concat(BreakableDisk.Faults.Select(fault => $"""<button value="{fault.Key}" title="{fault.Value}">{fault.Key}</button> """));

    /// <summary>Puts the disk that can be broken below the cache: an IFileSystem in the container is what the cache uses.</summary>
    public static void AddBreakableDisk(this IServiceCollection services) => services
        .AddSingleton<BreakableDisk>()
        .AddSingleton<IFileSystem>(provider => provider.GetRequiredService<BreakableDisk>().Files);

    public static void MapDiskPage(this IEndpointRouteBuilder app)
    {
        app.MapGet("/disk", (BreakableDisk disk, DiskCache cache) =>
            Results.Content(Render(disk.State, cache.GetStatus()), "text/html; charset=utf-8"));

        app.MapPost("/disk/{fault}", (string fault, BreakableDisk disk) => disk.TryBreak(fault)
            ? Results.Text($"The disk: {disk.State}.\n")
            : Results.Text($"Faults: {string.Join(", ", BreakableDisk.Faults.Keys)}.\n", statusCode: StatusCodes.Status404NotFound));
    }

    private static string Render(string disk, DiskCacheStatus status) => $$"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>Watch the disk die</title>
          <style>
            body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
            th { text-align: left; font-weight: normal; vertical-align: top; padding-right: 2rem; white-space: nowrap; }
          </style>
        </head>
        <body>
          <h1>Watch the disk die</h1>
          <p>Break the disk, ask for <a href="/reports/cost-by-size">a report</a> or <a href="/items/1">a record</a> as if nothing had
          happened, heal it, and watch the cache come back.</p>
          <p id="buttons">{{s_buttons}}</p>
          <table id="status">
            {{Row("The disk", disk)}}
            {{Row("Mode", status.Mode)}}
            {{Row("Since", status.Since.ToString("u", CultureInfo.InvariantCulture))}}
            {{Row("Reason", status.Reason)}}
            {{Row("Last fault", status.LastFault)}}
            {{Row("Last probe", status.DiskHealth)}}
            {{Row("Owed writes", status.OwedWrites)}}
            {{Row("Disk errors", status.DiskErrors)}}
            {{Row("Corrupt records", status.CorruptionErrors)}}
            {{Row("Entries on disk", status.Entries)}}
            {{Row("Bytes in memory", status.MemoryBytes)}}
          </table>
          <script>
            async function refresh() {
              const page = new DOMParser().parseFromString(await (await fetch("/disk")).text(), "text/html");
              document.getElementById("status").replaceWith(page.getElementById("status"));
            }
            document.getElementById("buttons").onclick = async event => {
              if (event.target.value) { await fetch("/disk/" + event.target.value, { method: "POST" }); await refresh(); }
            };
            setInterval(refresh, 1000);
          </script>
        </body>
        </html>
        """;

    private static string Row(string name, object? value) => string.Create(
        CultureInfo.InvariantCulture, $"<tr><th>{name}</th><td>{HtmlEncoder.Default.Encode($"{value ?? "-"}")}</td></tr>");
}
