using Corelift.Testing.Oracles;

namespace Corelift.EndToEnd.Tests;

/// <summary>The judges, judged: what they say of gdb's own core of a known target must be right.</summary>
public sealed class OracleTests : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    private string Core => _scratch.File("gcore.core");

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Gdb_lldb_and_eu_stack_name_the_frames_of_every_sleeper()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3");
        await Gdb.GcoreAsync(target.Pid, Core);

        Expectations.FramesAreRight(await Gdb.BacktracesAsync(target.Executable, Core), target);
        Expectations.FramesAreRight(await Lldb.BacktracesAsync(target.Executable, Core), target);
        Expectations.FramesAreRight(await Elfutils.BacktracesAsync(target.Executable, Core), target);
    }

    [Fact]
    public async Task Gdb_reads_registers_and_memory_that_the_target_knows()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--threads", "3");
        await Gdb.GcoreAsync(target.Pid, Core);

        Expectations.RegistersAreRight(await Gdb.RegistersAsync(target.Executable, Core), target);
        ulong start = target.Range("private").Start;
        Assert.Equal([TraceeMemory.Word(start), TraceeMemory.Word(start + 8), TraceeMemory.Word(start + 16)], await Gdb.WordsAsync(target.Executable, Core, start, 3));
        using CoreImage image = new(Core);
        image.AssertHolds(target.Range("private"));
        Assert.Equal(4, image.Threads.Count);
        Assert.Contains("AUXV", await Elfutils.NoteTypesAsync(Core));
    }

    [Fact]
    public async Task Delve_names_the_frames_of_every_goroutine()
    {
        using LiveProcess target = LiveProcess.Start("goroutines", "--workers", "5");
        await Gdb.GcoreAsync(target.Pid, Core);

        Assert.Equal(5, Expectations.Workers(await Delve.GoroutinesAsync(target.Executable, Core)));
    }

    [Fact]
    public async Task ClrMD_walks_stacks_and_heap_of_a_core_with_its_assemblies()
    {
        using LiveProcess target = LiveProcess.StartManaged(new LaunchOptions { CoredumpFilter = 0x7f }, "--threads", "3", "--markers", "321");
        await Gdb.GcoreAsync(target.Pid, Core);

        ManagedView view = ClrMd.Read(Core);
        Assert.Equal(3, view.Workers);
        Assert.Equal(321, view.Markers);
    }

    [Fact]
    public async Task Jhsdb_walks_stacks_and_heap_of_a_Java_program()
    {
        using LiveProcess target = LiveProcess.StartJava("--threads", "3", "--markers", "321");
        string java = Proc.Executable(target.Pid);
        await Gdb.GcoreAsync(target.Pid, Core);

        Assert.Equal(3, Expectations.JavaWorkers(await Jhsdb.StacksAsync(java, Core)));
        Assert.Equal(321, await Jhsdb.InstancesAsync(java, Core, "JavaTarget$Marker"));
    }

    [Fact]
    public async Task The_tracees_notice_what_gcore_does_to_blocked_calls()
    {
        using LiveProcess target = LiveProcess.Start("blocking");
        await Gdb.GcoreAsync(target.Pid, Core);

        TestingException harm = await Assert.ThrowsAsync<TestingException>(() => target.CheckAsync());
        Assert.Contains("epoll_wait", harm.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_baseline_notices_a_tracer_that_stays()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        TargetBaseline before = TargetBaseline.Take(target.Pid);
        using (await DebuggerHold.AttachAsync(target.Pid))
        {
            TestingException harm = await Assert.ThrowsAsync<TestingException>(() => before.AssertUnchangedAsync(TimeSpan.FromMilliseconds(200)));
            Assert.Contains("TracerPid", harm.Message, StringComparison.Ordinal);
        }

        await before.AssertUnchangedAsync();
    }
}
