using Corelift.Testing.Oracles;

namespace Corelift.EndToEnd.Tests;

/// <summary>Other people's readers open our cores, and see what the target knows of itself.</summary>
public sealed class DebuggersOpenTheCoreTests : AgentTest
{
    private static readonly string[] s_noteTypes = ["PRSTATUS", "PRPSINFO", "AUXV", "FILE", "SIGINFO", "FPREGSET", "X86_XSTATE"];

    [Theory, MemberData(nameof(Strategies))]
    public async Task Gdb_lldb_and_eu_stack_name_the_frames_of_every_thread(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "5");
        SnapshotReport report = await SnapshotUnharmedAsync(target, strategy);

        Assert.Equal(6, report.Threads);
        Expectations.FramesAreRight(await Gdb.BacktracesAsync(target.Executable, CorePath), target);
        Expectations.FramesAreRight(await Lldb.BacktracesAsync(target.Executable, CorePath), target);
        Expectations.FramesAreRight(await Elfutils.BacktracesAsync(target.Executable, CorePath), target);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Gdb_reads_the_registers_and_memory_that_the_target_knows(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "5");
        await SnapshotUnharmedAsync(target, strategy);

        Expectations.RegistersAreRight(await Gdb.RegistersAsync(target.Executable, CorePath), target);
        ulong start = target.Range("private").Start;
        Assert.Equal(
            [TraceeMemory.Word(start), TraceeMemory.Word(start + 8), TraceeMemory.Word(start + 16)],
            await Gdb.WordsAsync(target.Executable, CorePath, start, 3));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Gdb_has_nothing_to_complain_of(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        await SnapshotUnharmedAsync(target, strategy);

        CommandResult gdb = await Gdb.RunAsync(target.Executable, CorePath, "info threads", "info auxv", "info proc mappings", "info sharedlibrary", "p $_siginfo");
        Assert.Empty(Gdb.Warnings(gdb));
        Assert.Contains("AT_SYSINFO_EHDR", gdb.Output, StringComparison.Ordinal);
        Assert.Contains("libc.so.6", gdb.Output, StringComparison.Ordinal);
        Assert.Contains("si_signo", gdb.Output, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Eu_readelf_reads_every_note_of_every_thread(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "4");
        await SnapshotUnharmedAsync(target, strategy);

        IReadOnlyList<string> notes = await Elfutils.NoteTypesAsync(CorePath);
        Assert.All(s_noteTypes, type => Assert.Contains(type, notes));
        Assert.Equal(5, notes.Count(type => type == "PRSTATUS"));
        Assert.Equal(5, notes.Count(type => type == "FPREGSET"));
        Assert.Equal(5, notes.Count(type => type == "X86_XSTATE"));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Gdb_says_the_same_of_our_core_and_of_gcores_while_the_program_is_stopped(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("stopped");
        await Wait.UntilAsync(() => Proc.Tasks(target.Pid).All(tid => Proc.State(target.Pid, tid) == "T"), Wait.Soon, "group-stop");
        string theirs = Scratch.File("gcore.core");
        await SnapshotAsync(target, strategy);
        await Gdb.GcoreAsync(target.Pid, theirs);

        Assert.Equal(await Gdb.BacktracesAsync(target.Executable, theirs), await Gdb.BacktracesAsync(target.Executable, CorePath));
        Assert.Equal(await Gdb.RegistersAsync(target.Executable, theirs), await Gdb.RegistersAsync(target.Executable, CorePath));
        HashSet<string> ours = [.. await Elfutils.NoteTypesAsync(CorePath)];
        Assert.All((await Elfutils.NoteTypesAsync(theirs)).Where(type => s_noteTypes.Contains(type)), type => Assert.Contains(type, ours));
        using CoreImage mine = new(CorePath), other = new(theirs);
        Assert.Equal(other.Threads.Order(), mine.Threads.Order());
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task A_backtrace_needs_only_the_content_stacks(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "5", "--mib", "64");
        SnapshotReport report = await SnapshotAsync(target, strategy, "stacks");
        await target.CheckAsync();

        Assert.InRange(report.BytesCaptured, 1, 9_999_999);
        Expectations.FramesAreRight(await Gdb.BacktracesAsync(target.Executable, CorePath), target);
        Expectations.RegistersAreRight(await Gdb.RegistersAsync(target.Executable, CorePath), target);
        Assert.All((await Gdb.BacktracesAsync(target.Executable, CorePath)).Values, frames => Assert.NotEmpty(frames));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Delve_names_the_frames_of_every_goroutine(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("goroutines", "--workers", "6");
        await SnapshotAsync(target, strategy);
        await target.CheckAsync();

        Assert.Equal(6, Expectations.Workers(await Delve.GoroutinesAsync(target.Executable, CorePath)));
        await target.CheckAsync("release");
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task ClrMD_walks_the_stacks_and_the_heap_of_a_managed_program(string strategy)
    {
        using LiveProcess target = LiveProcess.StartManaged(new LaunchOptions(), "--threads", "5", "--markers", "4321");
        await SnapshotAsync(target, strategy);
        await target.CheckAsync();

        ManagedView view = ClrMd.Read(CorePath);
        Assert.Equal(5, view.Workers);
        Assert.Equal(4321, view.Markers);
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Jhsdb_walks_the_stacks_and_the_heap_of_a_Java_program(string strategy)
    {
        using LiveProcess target = LiveProcess.StartJava("--threads", "5", "--markers", "4321");
        string java = Proc.Executable(target.Pid);
        await SnapshotAsync(target, strategy);
        await target.CheckAsync();

        Assert.Equal(5, Expectations.JavaWorkers(await Jhsdb.StacksAsync(java, CorePath)));
        Assert.Equal(4321, await Jhsdb.InstancesAsync(java, CorePath, "JavaTarget$Marker"));
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Verify_prints_how_the_core_was_taken(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "2");
        await SnapshotAsync(target, strategy);

        CommandResult verify = (await Cli.RunAsync((string?)null, "verify", CorePath)).Checked();
        Assert.Contains(strategy, verify.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("pause", verify.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("skew", verify.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Verify_refuses_a_core_that_was_cut()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        await SnapshotAsync(target, "fork");
        using (FileStream core = File.OpenWrite(CorePath))
        {
            core.SetLength(core.Length / 2);
        }

        Assert.NotEqual(0, (await Cli.RunAsync((string?)null, "verify", CorePath)).ExitCode);
    }
}
