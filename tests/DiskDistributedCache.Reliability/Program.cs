using DiskDistributedCache.Reliability.Coverage;
using DiskDistributedCache.Reliability.Disks;
using DiskDistributedCache.Reliability.Families;
using DiskDistributedCache.Reliability.Fuzzing;
using DiskDistributedCache.Reliability.Harness;
using DiskDistributedCache.Reliability.Processes;
using DiskDistributedCache.Reliability.Rivals;

switch (args)
{
    case [WorkerArguments.Word, ..]:
        return await Worker.RunAsync(args);
    case [RivalWorker.Word, ..]:
        return await RivalWorker.RunAsync(args);
    case [RivalJudge.Word, ..]:
        return await RivalJudge.RunAsync(args);
    case [FuzzEngine.Argument, var target]:
        // Started by the fuzzer, which feeds it.
        FuzzEngine.Serve(target);
        return 0;
    case [CoverageCommand.Word, ..]:
        return await CoverageCommand.RunAsync(args);
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

Family[] families =
    [new Faults(), new Cuts(), new Flips(), new Kills(), new Power(), new Full(), new Fuzz(), new Model(), new Hostile(), new Soak()];
return await new ReliabilityCommand(arguments, [.. families, new RivalCaches(), new PlantedBugs(families, arguments.Plants)]).RunAsync();
