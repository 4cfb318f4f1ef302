using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;

namespace Corelift.Testing.Oracles;

/// <summary>gdb: as a reader of cores, and as the peer that makes them with gcore.</summary>
public static partial class Gdb
{
    // Without init files and without asking the network for symbols, so that each answer depends on the core alone.
    private static readonly string[] s_quiet = ["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load safe-path /"];

    /// <summary>Runs commands on a core; the answer is all that gdb printed, warnings included.</summary>
    public static Task<CommandResult> RunAsync(string executable, string core, params string[] commands) =>
        Command.RunAsync("gdb", [.. s_quiet, "-ex", "set width 0", .. commands.SelectMany(command => (string[])["-ex", command]), executable, core]);

    /// <summary>Function names of each thread's frames, innermost first, by tid.</summary>
    public static async Task<IReadOnlyDictionary<int, string[]>> BacktracesAsync(string executable, string core) =>
        Backtraces((await RunAsync(executable, core, "thread apply all bt")).Checked().Output);

    /// <summary>Registers of each thread, by tid and name; xmm registers by their low 64 bits ("xmm15").</summary>
    public static async Task<IReadOnlyDictionary<int, Dictionary<string, ulong>>> RegistersAsync(string executable, string core)
    {
        string[] names = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "fs_base"];
        string format = string.Join(' ', names.Select(name => $"{name}=%lx")) + " xmm15=%lx";
        string values = string.Join(", ", names.Select(name => $"(unsigned long)${name}")) + ", (unsigned long)$xmm15.v2_int64[0]";
        CommandResult result = await RunAsync(executable, core, $"thread apply all printf \"{format}\\n\", {values}");
        Dictionary<int, Dictionary<string, ulong>> registers = [];
        string[] parts = ThreadHeading().Split(result.Checked().Output);
        for (int i = 1; i + 1 < parts.Length; i += 2)
        {
            registers[Number(parts[i])] = Register().Matches(parts[i + 1])
                .ToDictionary(match => match.Groups[1].Value, match => Convert.ToUInt64(match.Groups[2].Value, 16));
        }

        return registers;
    }

    /// <summary>Words of memory.</summary>
    public static async Task<ulong[]> WordsAsync(string executable, string core, ulong address, int count)
    {
        CommandResult result = await RunAsync(executable, core, $"x/{count}gx 0x{address:x}");
        return [.. MemoryLine().Matches(result.Checked().Output).SelectMany(match => match.Groups[1].Value.Split('\t', StringSplitOptions.RemoveEmptyEntries))
            .Select(TraceeMemory.Address)];
    }

    /// <summary>Makes a core of a live process with gdb itself; the process is stopped all the while.</summary>
    public static async Task<CommandResult> GcoreAsync(int pid, string core) =>
        (await Command.RunAsync("gdb", [.. s_quiet, "-p", $"{pid}", "-ex", $"generate-core-file {core}", "-ex", "detach"])).Checked();

    /// <summary>
    /// What gdb complains of. Without "core file too small" of .reg-xstate where this CPU lays its XSAVE area out unlike
    /// Intel's: the kernel's own cores have those bytes, and gdb before 14 expects Intel's length.
    /// </summary>
    public static IReadOnlyList<string> Warnings(CommandResult result) =>
    [
        .. (result.Output + "\n" + result.Errors).Split('\n').Where(line => line.Contains("warning", StringComparison.OrdinalIgnoreCase)
            && !(HasOtherXsaveLayout && line.Contains(".reg-xstate", StringComparison.Ordinal) && line.EndsWith("too small.", StringComparison.Ordinal))),
    ];

    /// <summary>CPUID leaf 0xD: where AVX-512's mask registers lie (subleaf 5), or the protection keys (9), unless where Intel has them.</summary>
    private static bool HasOtherXsaveLayout => X86Base.IsSupported
        && (X86Base.CpuId(0xD, 5) is { Eax: > 0, Ebx: not 1088 } || X86Base.CpuId(0xD, 9) is { Eax: > 0, Ebx: not 2688 });

    private static Dictionary<int, string[]> Backtraces(string output)
    {
        Dictionary<int, string[]> traces = [];
        MatchCollection threads = ThreadHeading().Matches(output);
        for (int i = 0; i < threads.Count; i++)
        {
            int end = i + 1 < threads.Count ? threads[i + 1].Index : output.Length;
            traces[Number(threads[i].Groups[1].Value)] = [.. Frame().Matches(output[threads[i].Index..end]).Select(match => match.Groups[1].Value)];
        }

        return traces;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^Thread \d+ \(.*?LWP (\d+)[^\n]*\n", RegexOptions.Multiline)]
    private static partial Regex ThreadHeading();

    [GeneratedRegex(@"\b(\w+)=([0-9a-f]+)")]
    private static partial Regex Register();

    [GeneratedRegex(@"^#\d+ +(?:0x[0-9a-f]+ in )?([^ (]+)", RegexOptions.Multiline)]
    private static partial Regex Frame();

    [GeneratedRegex(@"^0x[0-9a-f]+[^:]*:\t(.*)$", RegexOptions.Multiline)]
    private static partial Regex MemoryLine();
}
