using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Families;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;

if (args is [WorkerArguments.Word, ..])
{
    return await Worker.RunAsync(args);
}

PrivateMounts.Enter();
ReliabilityArguments arguments;
try
{
    arguments = ReliabilityArguments.Parse(args);
}
catch (ArgumentException problem)
{
    Console.Error.WriteLine(problem.Message);
    Console.Error.WriteLine(ReliabilityArguments.Usage);
    return 2;
}

Family[] families = [new Faults()];
return await new ReliabilityCommand(arguments, [.. families, new PlantedBugs(families, arguments.Plants)]).RunAsync();
