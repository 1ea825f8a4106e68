namespace MinimalApi;

internal static class HomePage
{
    private static readonly string s_reportLinks =
        string.Concat(Reports.Names.Select(name => $"""<li><a href="/reports/{name}">{name}</a></li>"""));

    public static string Html { get; } = $$"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>Wildlife strikes, cached on disk</title>
          <style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }</style>
        </head>
        <body>
          <h1>Wildlife strikes, cached on disk</h1>
          <p>Statistics over 10,000 collisions of aircraft with wildlife. Making a report is slow; asking again is not, even
          after a restart. The response header <code>X-Cache</code> says <code>MISS</code>, <code>HIT memory</code> or
          <code>HIT disk</code>.</p>
          <h2>Reports</h2>
          <ul>{{s_reportLinks}}</ul>
          <p>Their names as JSON: <a href="/reports">/reports</a></p>
          <h2>Records</h2>
          <p><a href="/items/1">/items/1</a> to <a href="/items/10000">/items/10000</a></p>
          <h2>Cache</h2>
          <p><a href="/status">/status</a>, <a href="/health">/health</a>; in development <code>/disk</code>, to break the disk and watch</p>
          <form method="post" action="/evict/reports"><button>Evict all reports</button></form>
          <pre>curl -i http://localhost:5000/reports/cost-by-species
        curl -X POST http://localhost:5000/evict/reports</pre>
        </body>
        </html>
        """;
}
