using System.Globalization;
using DiskDistributedCache.Benchmarks;
using DiskDistributedCache.Benchmarks.HitRatios;
using DiskDistributedCache.Benchmarks.Http;

Func<Task<int>> command;
try
{
    command = Choose(args);
}
catch (ArgumentException problem)
{
    Console.Error.WriteLine(problem.Message);
    Console.Error.WriteLine(ClaimsArguments.Usage);
    Console.Error.WriteLine(HitRatioArguments.Usage);
    Console.Error.WriteLine(SavedOutput.Usage);
    return 2;
}

return await command();

static Func<Task<int>> Choose(string[] arguments)
{
    switch (arguments)
    {
        case ["claims", .. var rest]:
            var claims = ClaimsArguments.Parse(rest);
            return () => ClaimsCommand.RunAsync(claims);
        case ["hitratio", .. var rest]:
            var hitRatio = HitRatioArguments.Parse(rest);
            return () => HitRatioCommand.RunAsync(hitRatio);
        case ["table", .. var files] when files.Length > 0:
            return () => SavedOutput.TableAsync(files);
        case ["plot", .. var files] when files.Length > 0:
            return () => SavedOutput.PlotAsync(files);
        case [StoreOpening.HoldCommand, .. var rest]:
            // Not for people: claims starts it, and kills it.
            var held = StoreOpening.ParseHold(rest);
            return held.HoldAsync;
        case [IndexClaims.WeighCommand, var directory, var entries] when int.TryParse(entries, CultureInfo.InvariantCulture, out int count):
            return () => IndexClaims.WeighAsync(directory, count);
        case [ReportSite.Command, var store, var place]:
            return () => ReportSite.RunAsync(store, place);
        default:
            throw new ArgumentException("The commands are 'claims', 'hitratio', 'table' and 'plot'.");
    }
}
