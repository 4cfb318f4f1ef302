using SharpFuzz;

namespace Corelift.Fuzz.Engine;

/// <summary>Makes the product's assemblies, in the folder of a published program, count the branches that they take.</summary>
internal static class Instrumentation
{
    private static readonly string[] s_assemblies =
        ["Corelift.Linux.dll", "Corelift.Capture.dll", "Corelift.Elf.dll", "Corelift.Sealing.dll", "Corelift.Client.dll", "corelift-agent.dll", "corelift.dll"];

    /// <summary>To be run before any of them is loaded.</summary>
    internal static int Run(string folder)
    {
        foreach (string name in s_assemblies)
        {
            int types = Fuzzer.Instrument(Path.Combine(folder, name), static _ => true, Options.Value).Count();
            Console.WriteLine($"{name}: {types} types");
        }

        return 0;
    }
}
