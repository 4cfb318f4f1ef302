using System.Diagnostics;
using System.Globalization;
using System.Text;
using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Linux.Tests.Procfs;

/// <summary>The parsers against the real /proc, and against other readers of it.</summary>
public sealed class LiveProcfsTests
{
    [Fact]
    public void This_process_is_read_as_the_runtime_sees_it()
    {
        using ProcessDirectory self = ProcessDirectory.Open(Environment.ProcessId);
        TaskStat stat = self.ReadStat();
        TaskStatus status = self.ReadStatus();
        Assert.Equal(Environment.ProcessId, stat.Tid);
        Assert.Equal(Environment.ProcessId, status.Tgid);
        Assert.Equal(stat.Name, status.Name);
        Assert.Equal(stat.ParentPid, status.ParentPid);
        Assert.True(status.IsLeader);
        Assert.InRange(status.ResidentBytes, 1UL << 20, 1UL << 40);
        Assert.Equal(Environment.ProcessPath, self.ReadLink("exe"));
        Assert.Contains(self.ReadMaps(), vma => vma.Name.EndsWith("libcoreclr.so", StringComparison.Ordinal));
        Assert.Equal(stat.StartTimeTicks, self.ReadIdentity().StartTimeTicks);
        _ = self.ReadCgroup();
    }

    [Fact]
    public void Every_process_of_the_host_parses()
    {
        using var buffer = new ProcfsBuffer();
        int read = 0;
        foreach (int pid in ProcessTable.ListPids())
        {
            try
            {
                using ProcessDirectory process = ProcessDirectory.Open(pid);
                TaskStat stat = process.ReadStat(buffer);
                TaskStatus status = process.ReadStatus(buffer);
                List<Vma> maps = process.ReadMaps(buffer);
                List<VmaDetails> smaps = process.ReadSmaps(buffer);
                _ = process.ReadCgroup(buffer);
                Assert.True(stat.IsKernelThread || !status.IsKernelThread); // status says it from Linux 6.11 on
                Assert.True(!stat.IsKernelThread || (maps.Count == 0 && smaps.Count == 0));
                Assert.All(smaps, vma => Assert.True(vma.OtherFlags.Count == 0, string.Join(' ', vma.OtherFlags)));
                read++;
            }
            catch (SyscallException failure) when (failure.IsTaskGone || failure.IsDenied) // a container's host may hide its init
            {
            }
        }

        Assert.True(read > 1);
    }

    [Fact]
    public async Task A_sleeping_process_has_the_vmas_of_smaps_and_what_its_rollup_says()
    {
        using Process sleeper = Start("sleep", "60");
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(sleeper.Id);
            await WaitForStateAsync(directory, 'S');
            List<Vma> maps = directory.ReadMaps();
            List<VmaDetails> smaps = directory.ReadSmaps();
            Assert.Equal(maps, smaps.Select(vma => vma.Vma));
            VmaDetails sum = SmapsParser.ParseRollup(directory.ReadFile("smaps_rollup"), ProcfsLimits.Default);
            Assert.Equal(sum.ResidentBytes, smaps.Aggregate(0UL, (total, vma) => total + vma.ResidentBytes));
            Assert.Equal(sum.AnonymousBytes, smaps.Aggregate(0UL, (total, vma) => total + vma.AnonymousBytes));
            string[] lines = File.ReadAllLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{sleeper.Id}/maps"));
            Assert.Equal(lines.Length, maps.Count);
            Assert.All(lines.Zip(maps), pair => Assert.StartsWith(
                string.Create(CultureInfo.InvariantCulture, $"{pair.Second.Start.Value:x8}-{pair.Second.End.Value:x8} "), pair.First, StringComparison.Ordinal));
            Assert.Equal([sleeper.Id], directory.ListTasks());
            Assert.Equal(1, directory.ReadThreadCount());
            Assert.Equal("sleep\060\0"u8.ToArray(), directory.ReadFile("cmdline"));
        }
        finally
        {
            sleeper.Kill();
        }
    }

    [Fact]
    public void Tasks_are_counted_as_status_counts_them()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        int before, counted, after;
        do
        {
            before = self.ReadStatus().ThreadCount;
            counted = self.ReadThreadCount();
            after = self.ReadStatus().ThreadCount;
        }
        while (before != after); // others may begin or end threads

        Assert.True(before > 1);
        Assert.Equal(before, counted);
    }

    [Fact]
    public async Task A_process_that_ended_is_gone_and_not_somebody_else()
    {
        using Process sleeper = Start("sleep", "60");
        using ProcessDirectory directory = ProcessDirectory.Open(sleeper.Id);
        sleeper.Kill();
        await sleeper.WaitForExitAsync();
        Assert.True(Assert.Throws<SyscallException>(() => directory.ReadStat()).IsTaskGone);
        Assert.True(Assert.Throws<SyscallException>(() => directory.ListTasks()).IsTaskGone);
        Assert.True(Assert.Throws<SyscallException>(() => directory.ReadThreadCount()).IsTaskGone);
        Assert.True(Assert.Throws<SyscallException>(() => ProcessDirectory.Open(sleeper.Id)).IsTaskGone);
    }

    [Fact] // one of thirty is met while the kernel releases it, when its status names no thread group any more
    public void A_process_that_ends_while_it_is_read_is_gone_and_nothing_else()
    {
        using var buffer = new ProcfsBuffer();
        for (int i = 0; i < 200; i++)
        {
            using Process brief = Start("true");
            SyscallException end = Assert.Throws<SyscallException>(() => ReadOn(brief.Id, buffer));
            Assert.True(end.IsTaskGone);
        }
    }

    [Fact]
    public void Limits_hold_for_files_and_lists()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        Assert.Throws<ProcfsFormatException>(() => self.ReadFile("maps", new ProcfsLimits { MaxFileBytes = 100 }));
        Assert.Throws<ProcfsFormatException>(() => ProcessTable.ListPids(new ProcfsLimits { MaxTasks = 1 }));
    }

    [Fact]
    public void Names_with_newlines_parentheses_and_no_utf8_come_from_a_real_kernel()
    {
        // A comm is set by writing to it; this thread's own, put back afterwards.
        string path = "/proc/thread-self/comm";
        byte[] before = File.ReadAllBytes(path);
        try
        {
            File.WriteAllBytes(path, [.. "x) R 1 1\n\\"u8, 0xff]);
            byte[] stat = File.ReadAllBytes("/proc/thread-self/stat");
            TaskStatus status = TaskStatus.Parse(File.ReadAllBytes("/proc/thread-self/status"), ProcfsLimits.Default);
            Assert.Equal("x) R 1 1\n\\"u8.ToArray().Append((byte)0xff), TaskStat.Parse(stat).NameBytes.ToArray());
            Assert.Equal("x) R 1 1\n\\\uFFFD", status.Name);
            Assert.Equal(Environment.ProcessId, status.Tgid);
        }
        finally
        {
            File.WriteAllBytes(path, Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(before).TrimEnd('\n')));
        }
    }

    private static void ReadOn(int pid, ProcfsBuffer buffer)
    {
        using ProcessDirectory directory = ProcessDirectory.Open(pid);
        while (true)
        {
            Assert.Equal(pid, directory.ReadStatus(buffer).Tgid);
        }
    }

    private static Process Start(string program, params string[] arguments) => Process.Start(program, arguments);

    private static async Task WaitForStateAsync(ProcessDirectory directory, char state)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (directory.ReadStat().State != state || directory.ReadLink("exe").Contains("dotnet", StringComparison.Ordinal))
        {
            await Task.Delay(5, patience.Token);
        }
    }
}
