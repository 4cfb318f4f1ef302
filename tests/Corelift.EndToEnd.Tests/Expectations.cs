namespace Corelift.EndToEnd.Tests;

/// <summary>What a reader must find in a core of a tracee, by what the tracee says of itself.</summary>
internal static class Expectations
{
    private static readonly string[] s_registers = ["rbx", "r12", "r13", "r14", "r15", "xmm15"];

    /// <summary>Each sleeper is in level_three below level_two below level_one.</summary>
    public static void FramesAreRight(IReadOnlyDictionary<int, string[]> traces, LiveProcess target)
    {
        Assert.Contains(target.Pid, traces.Keys);
        Assert.NotEmpty(target.Sleepers);
        Assert.All(target.Sleepers, sleeper => Assert.Equal("level_three level_two level_one", string.Join(' ', traces[sleeper.Tid].Take(3))));
    }

    /// <summary>Each sleeper's registers hold the pattern of its tid.</summary>
    public static void RegistersAreRight(IReadOnlyDictionary<int, Dictionary<string, ulong>> registers, LiveProcess target)
    {
        Assert.NotEmpty(target.Sleepers);
        Assert.All(target.Sleepers, sleeper => Assert.Equal(
            s_registers.Select((_, epoch) => TraceeMemory.Word((ulong)sleeper.Tid, (ulong)epoch)),
            s_registers.Select(name => registers[sleeper.Tid][name])));
    }

    /// <summary>Each sleeper's stack holds its 64 words.</summary>
    public static void StacksAreRight(CoreImage core, LiveProcess target) =>
        Assert.All(target.Sleepers, sleeper => core.AssertHolds(new AddressSpan(sleeper.Stack, sleeper.Stack + (64 * sizeof(ulong)))));

    /// <summary>Goroutines in main.levelThree below main.levelTwo below main.levelOne.</summary>
    public static int Workers(IReadOnlyList<string[]> goroutines) => goroutines.Count(frames =>
        string.Join(' ', frames.Where(name => name.StartsWith("main.level", StringComparison.Ordinal))) == "main.levelThree main.levelTwo main.levelOne");

    /// <summary>Java threads work-N in sleep below deep below work.</summary>
    public static int JavaWorkers(IReadOnlyDictionary<string, string[]> stacks) => stacks.Count(stack =>
        stack.Key.StartsWith("work-", StringComparison.Ordinal) &&
        string.Join(' ', stack.Value.Where(name => name is "JavaTarget.sleep" or "JavaTarget.deep" or "JavaTarget.work")) ==
        "JavaTarget.sleep JavaTarget.deep JavaTarget.work");

    /// <summary>
    /// The rule of the tracee "pairs": in a thread's order of writing, counters never ascend, and the first is at most 1
    /// above the last.
    /// </summary>
    public static void PairsAreWhole(CoreImage core, LiveProcess target)
    {
        ulong first = target.Range("first").Start, second = target.Range("second").Start;
        long pairs = target.Number("pairs"), threads = target.Number("threads");
        for (long thread = 0; thread < threads; thread++)
        {
            List<ulong> order = [];
            for (long pair = thread; pair < pairs; pair += threads)
            {
                ulong offset = (ulong)pair * TraceeMemory.PageSize;
                order.Add(core.ReadWord(first + offset));
                order.Add(core.ReadWord(second + offset));
            }

            Assert.Equal(order.OrderDescending(), order);
            Assert.InRange(order[0] - order[^1], 0ul, 1ul);
            Assert.NotEqual(0ul, order[0]);
        }
    }
}
