using System.Globalization;
using Corelift.Fuzz.Engine;
using Corelift.Fuzz.Targets;

namespace Corelift.Fuzz;

/// <summary>Fuzzes what reads hostile input: see README.md.</summary>
internal static class Program
{
    private const string Usage = """
        usage: Corelift.Fuzz list
               Corelift.Fuzz run NAME|all [--minutes M] [--seed N]
               Corelift.Fuzz replay NAME FILE...
               Corelift.Fuzz distill NAME|all
               Corelift.Fuzz instrument
        """;

    internal static int Main(string[] arguments)
    {
        CoverageMap.Attach();
        switch (arguments)
        {
            case ["list"]:
                FuzzTargets.All.ToList().ForEach(target => Console.WriteLine(target.Name));
                return 0;
            case ["instrument"]:
                return Instrumentation.Run(AppContext.BaseDirectory);
            case ["run", string name, .. string[] options] when Read(options) is { } read:
                return Named(name, target => RunOne(target, read));
            case ["replay", string name, .. { Length: > 0 } paths]:
                return Named(name, target => Replay(target, paths));
            case ["distill", string name]:
                return Named(name, target =>
                {
                    Console.WriteLine($"{target.Name}: {Distillation.Run(target, new Folders(Folders.FindRoot(), target.Name))} added");
                    return 0;
                });
            default:
                Console.Error.WriteLine(Usage);
                return 2;
        }
    }

    private static int RunOne(FuzzTarget target, FuzzOptions options)
    {
        using FuzzRun run = new(target, new Folders(Folders.FindRoot(), target.Name), options, Console.WriteLine);
        return run.Run().Findings.Count == 0 ? 0 : 1;
    }

    private static int Replay(FuzzTarget target, string[] paths)
    {
        int found = 0;
        using InputRunner runner = new(target, TimeSpan.FromSeconds(30), finding => Environment.FailFast(finding.Text));
        foreach (string path in paths)
        {
            Finding? finding = runner.Run(File.ReadAllBytes(path));
            Console.WriteLine($"{path}: {finding?.Text ?? "nothing"}");
            found += finding is null ? 0 : 1;
        }

        return found == 0 ? 0 : 1;
    }

    private static int Named(string name, Func<FuzzTarget, int> work)
    {
        FuzzTarget[] targets = [.. FuzzTargets.All.Where(target => name == "all" || target.Name == name)];
        if (targets.Length == 0)
        {
            Console.Error.WriteLine($"there is no target {name}; there are {string.Join(", ", FuzzTargets.All.Select(target => target.Name))}");
            return 2;
        }

        return targets.Max(work);
    }

    private static FuzzOptions? Read(string[] options)
    {
        FuzzOptions result = new() { Time = TimeSpan.FromMinutes(5), Seed = Random.Shared.Next() };
        for (int i = 0; i < options.Length; i += 2)
        {
            if (i + 1 == options.Length || !double.TryParse(options[i + 1], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
            {
                return null;
            }

            switch (options[i])
            {
                case "--minutes" when value is > 0 and < 100_000:
                    result = result with { Time = TimeSpan.FromMinutes(value) };
                    break;
                case "--seed" when value is >= 0 and <= int.MaxValue:
                    result = result with { Seed = (int)value };
                    break;
                default:
                    return null;
            }
        }

        return result;
    }
}
