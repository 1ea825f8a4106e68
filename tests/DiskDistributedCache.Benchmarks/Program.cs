using DiskDistributedCache.Benchmarks;

ClaimsArguments arguments;
try
{
    arguments = ClaimsArguments.Parse(args);
}
catch (ArgumentException problem)
{
    Console.Error.WriteLine(problem.Message);
    Console.Error.WriteLine(ClaimsArguments.Usage);
    return 2;
}

return await ClaimsCommand.RunAsync(arguments);
