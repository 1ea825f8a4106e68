using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using DiskDistributedCache.Diagnostics;
using DiskDistributedCache.Tests.Infrastructure;
using Microsoft.Extensions.Logging;

namespace DiskDistributedCache.Tests.Diagnostics;

/// <summary>The log events are a contract: what is in the code is in docs/operations.md, with its level, and nothing else.</summary>
public sealed partial class LogTests
{
    // Seen to fail when a row is missing from the table, as when an event is added to Log.cs, and when a level differs.
    [Fact]
    public void The_table_of_log_events_has_every_event_with_its_level_and_no_other()
    {
        var documented = EventRow().Matches(File.ReadAllText(OperationsPage.Find()))
            .Select(row => (Id: int.Parse(row.Groups["id"].Value, CultureInfo.InvariantCulture), Level: row.Groups["level"].Value))
            .ToArray();

        Assert.Equal(Events().OrderBy(logged => logged.EventId).Select(Describe), documented);
    }

    [Fact]
    public void No_two_events_share_an_id()
    {
        var ids = Events().Select(logged => logged.EventId).ToArray();

        Assert.NotEmpty(ids);
        Assert.Equal(ids.Distinct(), ids);
    }

    /// <summary>An event whose level depends on what happened has none in its attribute.</summary>
    private static (int Id, string Level) Describe(LoggerMessageAttribute logged) =>
        (logged.EventId, logged.Level == LogLevel.None ? "varies" : logged.Level.ToString());

    private static IEnumerable<LoggerMessageAttribute> Events() =>
        typeof(Log).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>();

    [GeneratedRegex(@"^\| (?<id>\d+) \| (?<level>\w+) \|", RegexOptions.Multiline)]
    private static partial Regex EventRow();
}
