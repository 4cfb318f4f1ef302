using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Corelift.Elf.Tests;

/// <summary>
/// A real process, its core by gcore, and the same content as our writer lays it out: what other readers say of the one
/// they must say of the other.
/// </summary>
public sealed class LiveCore : IDisposable
{
    internal const string Source = """
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        char canary[8192] = "canary";
        static pthread_barrier_t barrier;
        static void *worker_waits(void *p) { pthread_barrier_wait(&barrier); for (;;) pause(); return p; }
        static int deeper(int n) { puts("ready"); fflush(stdout); for (;;) pause(); return n; }
        int main(void)
        {
            pthread_t thread;
            canary[8000] = 77;
            pthread_barrier_init(&barrier, 0, 2);
            pthread_create(&thread, 0, worker_waits, 0);
            pthread_barrier_wait(&barrier);
            return deeper(42);
        }
        """;

    private readonly TempFolder _folder = new();

    public LiveCore()
    {
        Program = Tool.Compile(_folder, "target", Source, "-pthread");
        using Process process = Process.Start(new ProcessStartInfo(Program) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("ready", process.StandardOutput.ReadLine());
            Tool.Run("gcore", "-o", _folder.Path("gcore"), process.Id.ToString(CultureInfo.InvariantCulture));
            Gcore = _folder.Path($"gcore.{process.Id}");
            Ours = _folder.Path("ours");
            using CoreFile core = CoreFile.Open(File.OpenRead(Gcore));
            Describe(core, File.ReadAllLines($"/proc/{process.Id}/maps"), process.Id);
            using (FileStream stream = new(Ours, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0))
            using (CoreWriter writer = CoreWriter.Create(stream, Snapshot))
            {
                Fill(core, writer);
            }

            Late = _folder.Path("late");
            using (FileStream stream = new(Late, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 0))
            using (CoreWriter writer = CoreWriter.CreateLive(stream, Samples.Page, OnceLive()))
            {
                writer.WriteMemory(OnceLive()[0].Start, Samples.Pattern(Samples.Page, 1)); // replaced later
                writer.BeginInstant(Snapshot);
                Fill(core, writer);
            }
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    internal string Program { get; }

    internal string Gcore { get; }

    internal string Ours { get; }

    /// <summary>The same, of memory that was live in part: its headers stand at the end, and segments are cut and moved.</summary>
    internal string Late { get; }

    internal CoreSnapshot Snapshot { get; private set; } = null!;

    public void Dispose() => _folder.Dispose();

    internal string Gdb(string core, params string[] commands) =>
        Tool.Run("gdb", ["-nx", "-batch", "-iex", "set auto-load safe-path /", Program, core, .. commands.SelectMany(c => new[] { "-ex", c })]);

    private void Describe(CoreFile core, string[] maps, int pid)
    {
        Snapshot = Samples.Snapshot() with
        {
            Process = Samples.Snapshot().Process with
            {
                Pid = pid,
                Name = "target"u8.ToArray(),
                Arguments = Encoding.UTF8.GetBytes(Program),
            },
            Threads = [.. core.ReadThreads().Select(t => ToThread(core, t))],
            Auxv = core.ReadNote(core.Notes.First(n => n is { Owner: "CORE", Type: 6 })),
            Vmas = [.. maps.Select(line => ToVma(core, line))],
        };
    }

    /// <summary>Some regions whole, some from their second page on, and some not at all.</summary>
    private (ulong Start, ulong End)[] OnceLive() =>
    [
        .. Snapshot.Vmas.SelectMany(v => v.Regions)
            .Where((r, i) => r.HasBytes && i % 3 > 0 && r.End - r.Start > Samples.Page)
            .Select((r, i) => (r.Start + ((ulong)(i % 2) * Samples.Page), r.End)),
    ];

    private void Fill(CoreFile core, CoreWriter writer)
    {
        foreach (CoreRegion region in Snapshot.Vmas.SelectMany(v => v.Regions).Where(r => r.HasBytes))
        {
            byte[] bytes = new byte[region.End - region.Start];
            Assert.Equal(bytes.Length, core.Read(region.Start, bytes));
            writer.WriteMemory(region.Start, bytes);
        }

        writer.Complete(Samples.Json);
    }

    private static CoreThread ToThread(CoreFile core, CoreFileThread thread) => new()
    {
        Tid = thread.Tid,
        CurrentSignal = thread.CurrentSignal,
        RegisterSets =
        [
            new(1, thread.GeneralRegisters),
            .. thread.Notes.Where(n => n.Type != 0x53494749).Select(n => new CoreRegisterSet(n.Type, core.ReadNote(n))),
        ],
        SigInfo = core.ReadNote(thread.Notes.First(n => n.Type == 0x53494749)),
    };

    private static CoreVma ToVma(CoreFile core, string line)
    {
        string[] fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        string[] range = fields[0].Split('-');
        ulong start = ulong.Parse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        ulong end = ulong.Parse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return new CoreVma
        {
            Start = start,
            End = end,
            Flags = (fields[1][0] == 'r' ? CoreVmaFlags.Read : 0) | (fields[1][1] == 'w' ? CoreVmaFlags.Write : 0)
                | (fields[1][2] == 'x' ? CoreVmaFlags.Execute : 0),
            Path = fields.Length > 5 && fields[5].StartsWith('/') ? fields[5] : "",
            FileOffsetBytes = ulong.Parse(fields[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            Regions = [new CoreRegion(start, end, core.Read(start, new byte[1]) == 1)],
        };
    }
}
