using Microsoft.Diagnostics.Runtime;

namespace Corelift.Testing.Oracles;

/// <summary>What ClrMD finds in a core of a managed process.</summary>
public sealed record ManagedView(IReadOnlyList<string[]> Stacks, int Markers, int Objects)
{
    /// <summary>Threads whose stack has Sleep, Deep and Work of the managed tracee, in this order.</summary>
    public int Workers => Stacks.Count(stack => string.Join(' ', stack.Where(name => name is "Sleep" or "Deep" or "Work")) == "Sleep Deep Work");
}

/// <summary>ClrMD as a reader of cores of managed processes.</summary>
public static class ClrMd
{
    /// <summary>Walks all stacks and the heap.</summary>
    public static ManagedView Read(string core)
    {
        using DataTarget target = DataTarget.LoadDump(core);
        ClrInfo version = target.ClrVersions.Single();
        // The version of the runtime reads as 0.0 from any core here, createdump's too; so the matching library is named.
        string library = Path.Combine(Path.GetDirectoryName(version.ModuleInfo.FileName)!, "libmscordaccore.so");
        using ClrRuntime runtime = version.CreateRuntime(library, ignoreMismatch: true);
        List<string[]> stacks = [];
        foreach (ClrThread thread in runtime.Threads)
        {
            stacks.Add([.. thread.EnumerateStackTrace().Select(frame => frame.Method?.Name).OfType<string>()]);
        }

        List<string?> types = [.. runtime.Heap.EnumerateObjects().Select(item => item.Type?.Name)];
        return new ManagedView(stacks, types.Count(name => name == "ManagedTarget.Marker"), types.Count);
    }
}
