using DiskDistributedCache.RealDisks;

if (args is not [var scenario, var directory, .. var rest])
{
    Console.Error.WriteLine("usage: SCENARIO DIRECTORY [ARGUMENT]; see the script 'run' beside the project.");
    return 2;
}

var report = new Report();
try
{
    await (scenario switch
    {
        "full" => FullDisk.RunAsync(directory, report),
        "read-only" => ReadOnlyDisk.RunAsync(directory, rest[0], rest[1], rest[2], report),
        "read-only-until-killed" => ReadOnlyDisk.RunUntilKilledAsync(directory, rest[0], rest[1]),
        "work" => Restart.WorkAsync(directory, rest is [var earlier] ? earlier : null, report),
        "restart" => Restart.CheckAsync(directory, rest[0], rest[1], rest is [_, _, "broken"], report),
        "hang" => HungDisk.RunAsync(directory, int.Parse(rest[0]), report),
        _ => throw new ArgumentException($"There is no scenario '{scenario}'."),
    });
}
catch (Exception exception)
{
    report.Check($"{scenario}: nothing is thrown", false, exception.ToString().ReplaceLineEndings(" | "));
}

return report.HasFailures ? 1 : 0;
