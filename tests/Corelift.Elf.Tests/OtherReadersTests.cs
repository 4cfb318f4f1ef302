using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Corelift.Elf.Tests;

/// <summary>Other programs are the judges of what the writer makes, and gdb's core is a judge of the reader.</summary>
public sealed partial class OtherReadersTests(LiveCore live) : IClassFixture<LiveCore>
{
    [Theory, InlineData(false), InlineData(true)]
    public void Gdb_shows_the_same_threads_frames_and_memory_as_of_its_own_core(bool isLate)
    {
        string[] commands = ["info threads", "thread apply all bt", "print canary[8000]", "print canary", "info registers", "info proc cmdline", "print $_siginfo.si_signo"];

        string ours = live.Gdb(Core(isLate), commands);
        string theirs = live.Gdb(live.Gcore, commands);

        Assert.Contains("worker_waits", ours, StringComparison.Ordinal);
        Assert.Contains("deeper (n=42)", ours, StringComparison.Ordinal);
        Assert.Contains("= 77 'M'", ours, StringComparison.Ordinal);
        Assert.Equal(StateOf(theirs), StateOf(ours));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gdb_lists_the_mapped_files_of_the_process(bool isLate)
    {
        string mappings = live.Gdb(Core(isLate), "info proc mappings");

        foreach (CoreVma vma in live.Snapshot.Vmas.Where(v => v.Path.Length > 0))
        {
            Assert.Matches($"0x{vma.Start:x} +0x{vma.End:x} +0x[0-9a-f]+ +0x{vma.FileOffsetBytes:x} +{Regex.Escape(vma.Path)}", mappings);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Gdb_reads_every_byte_as_it_was(bool isLate)
    {
        using TempFolder folder = new();
        using CoreFile theirs = CoreFile.Open(File.OpenRead(live.Gcore));
        CoreRegion[] regions = [.. live.Snapshot.Vmas.SelectMany(v => v.Regions).Where(r => r.HasBytes)];

        live.Gdb(Core(isLate), [.. regions.Select(r => $"dump binary memory {folder.Path($"{r.Start:x}")} 0x{r.Start:x} 0x{r.End:x}")]);

        Assert.True(regions.Length > 5);
        Assert.All(regions, r =>
        {
            byte[] expected = new byte[r.End - r.Start];
            Assert.Equal(expected.Length, theirs.Read(r.Start, expected));
            Assert.True(expected.AsSpan().SequenceEqual(File.ReadAllBytes(folder.Path($"{r.Start:x}"))), $"0x{r.Start:x}");
        });
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Lldb_shows_frames_and_memory(bool isLate)
    {
        string output = Tool.Run("lldb", "-b", "-c", Core(isLate), live.Program, "-o", "thread list", "-o", "bt all", "-o", "print (int)canary[8000]");

        Assert.Contains("worker_waits", output, StringComparison.Ordinal);
        Assert.Contains("deeper", output, StringComparison.Ordinal);
        Assert.Matches(@"\(int\) \$0 = 77", output);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Elfutils_finds_frames_and_modules(bool isLate)
    {
        string stack = Tool.Run("eu-stack", "-e", live.Program, "--core", Core(isLate));
        string modules = Tool.Run("eu-unstrip", "-n", "--core", Core(isLate));

        Assert.Contains("worker_waits", stack, StringComparison.Ordinal);
        Assert.Contains("deeper", stack, StringComparison.Ordinal);
        Assert.Contains(live.Program, modules, StringComparison.Ordinal);
        Assert.Contains("libc.so", modules, StringComparison.Ordinal);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Readelf_and_elfutils_have_nothing_to_complain_about(bool isLate)
    {
        string[] outputs =
        [
            Tool.Run("readelf", "-hlnW", Core(isLate)), Tool.Run("eu-readelf", "-hln", Core(isLate)), Tool.Run("objdump", "-p", Core(isLate)),
        ];

        Assert.All(outputs, o => Assert.DoesNotMatch("(?i)warning|error|invalid|corrupt|truncated", o));
        Assert.Contains("CORELIFT", outputs[0], StringComparison.Ordinal);
        Assert.Contains("CORELIFT", outputs[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Reader_agrees_with_elfutils_about_gdbs_core()
    {
        using CoreFile core = CoreFile.Open(File.OpenRead(live.Gcore));
        string notes = Tool.Run("eu-readelf", "-n", live.Gcore);

        Assert.Equal(NoteLine().Matches(notes).Select(m => (m.Groups[1].Value, m.Groups[2].Value)),
            core.Notes.Select(n => (n.Owner, n.SizeBytes.ToString(CultureInfo.InvariantCulture))));
        Assert.Equal(FileLine().Matches(notes).Select(m => m.Groups[1].Value), core.ReadMappedFiles().Select(f => f.Path));
        Assert.Equal(PidLine().Matches(notes).Select(m => m.Groups[1].Value).Skip(1), core.ReadThreads().Select(t => $"{t.Tid}"));
        Assert.Contains(core.ReadAuxv(), e => e is { Type: 6, Value: Samples.Page });
    }

    [Fact]
    public void A_core_by_gdb_is_sound_though_it_has_no_vendor_note()
    {
        using FileStream stream = File.OpenRead(live.Gcore);

        CoreVerification verification = CoreVerifier.Verify(stream);

        Assert.True(verification.IsSound, string.Join('\n', verification.Findings));
        Assert.Null(verification.Record);
        Assert.Contains(verification.Findings, f => f is { Severity: CoreFindingSeverity.Information, Kind: "vendor-note" });
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Our_core_of_a_real_process_has_no_findings_at_all(bool isLate)
    {
        using FileStream stream = File.OpenRead(Core(isLate));

        CoreVerification verification = CoreVerifier.Verify(stream);

        Assert.Empty(verification.Findings);
        Assert.True(verification.Record!.IsComplete);
    }

    [Fact]
    public void Composed_notes_have_the_layout_that_the_c_compiler_gives_them()
    {
        using TempFolder folder = new();
        string program = Tool.Compile(folder, "layout", """
            #include <stdio.h>
            #include <string.h>
            #include <sys/procfs.h>
            int main(int argc, char **argv)
            {
                struct elf_prstatus s; struct elf_prpsinfo p;
                FILE *f = fopen(argv[1], "rb"), *g = fopen(argv[2], "rb");
                if (fread(&s, 1, sizeof s + 1, f) != sizeof s || fread(&p, 1, sizeof p + 1, g) != sizeof p) return 1;
                printf("%d %d %lx %lx %d %d %d %d ", s.pr_info.si_signo, s.pr_cursig, s.pr_sigpend, s.pr_sighold,
                    s.pr_pid, s.pr_ppid, s.pr_pgrp, s.pr_sid);
                printf("%ld.%ld %ld.%ld %d %llx ", (long)s.pr_utime.tv_sec, (long)s.pr_utime.tv_usec, (long)s.pr_stime.tv_sec,
                    (long)s.pr_stime.tv_usec, s.pr_fpvalid, (unsigned long long)s.pr_reg[16]);
                printf("%d %c %d %d %lx %u %u %d %d %d %d [%s] [%s]", p.pr_state, p.pr_sname, p.pr_zomb, p.pr_nice, p.pr_flag,
                    p.pr_uid, p.pr_gid, p.pr_pid, p.pr_ppid, p.pr_pgrp, p.pr_sid, p.pr_fname, p.pr_psargs);
                return 0;
            }
            """, "-fno-stack-protector", "-w");
        using CoreFile core = CoreFile.Open(new MemoryStream(Samples.SmallCore()));
        File.WriteAllBytes(folder.Path("prstatus"), core.ReadNote(core.Notes[0]));
        File.WriteAllBytes(folder.Path("prpsinfo"), core.ReadNote(core.Notes[1]));

        string fields = Tool.Run(program, folder.Path("prstatus"), folder.Path("prpsinfo"));

        ulong rip = BinaryPrimitives.ReadUInt64LittleEndian(Samples.Pattern(216, 4000).AsSpan(16 * 8));
        string arguments = ("/usr/bin/target --flag " + new string('x', 100))[..79];
        Assert.Equal(
            $"11 11 1111 2222 4000 3999 3998 3997 3.4 5.6 1 {rip:x} "
            + $"1 S 0 -5 400100 1000 1001 4000 3999 3998 3997 [a-name-that-is-] [{arguments}]",
            fields);
    }

    private string Core(bool isLate) => isLate ? live.Late : live.Ours;

    /// <summary>What gdb printed, from the threads on: before it stand the file's name and what loading said.</summary>
    private static string StateOf(string output) => output[output.IndexOf("Id   Target Id", StringComparison.Ordinal)..];

    [GeneratedRegex(@"^  (CORE|LINUX|GDB) +(\d+)  ", RegexOptions.Multiline)]
    private static partial Regex NoteLine();

    [GeneratedRegex(@"^      [0-9a-f]+-[0-9a-f]+ [0-9a-f]+ \d+ +(/.*)$", RegexOptions.Multiline)]
    private static partial Regex FileLine();

    [GeneratedRegex(@"^    .*\bpid: (\d+), ppid", RegexOptions.Multiline)]
    private static partial Regex PidLine();
}
