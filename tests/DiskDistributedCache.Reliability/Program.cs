using DiskDistributedCache.Reliability.Families;
using DiskDistributedCache.Reliability.Fuzzing;
using DiskDistributedCache.Reliability.Harness;

if (args is [FuzzEngine.Argument, var target])
{
    // Started by the fuzzer, which feeds it.
    FuzzEngine.Serve(target);
    return 0;
}

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

return await new ReliabilityCommand(arguments, [new Faults(), new Fuzz(), new Model()]).RunAsync();
