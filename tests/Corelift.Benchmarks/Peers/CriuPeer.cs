namespace Corelift.Benchmarks.Peers;

/// <summary><c>criu dump --leave-running</c>: no ELF core, but the same memory, to the same disk.</summary>
internal sealed class CriuPeer() : Peer("CRIU")
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(2);

    private string? _unable;

    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        // What criu's own check refuses, no target will change.
        _unable ??= await UnableAsync();
        if (_unable.Length > 0)
        {
            throw new CannotException(_unable);
        }

        string images = Directory.CreateDirectory(run.ScratchPath("criu")).FullName;
        (CommandResult result, TimedUsage usage) = await TimedCommand.RunAsync(
            run, s_bound, "criu", "dump", "--tree", $"{target.Pid}", "--images-dir", images, "--leave-running", "--shell-job", "-v1");
        if (result.ExitCode != 0)
        {
            throw new CannotException($"dump failed: {(result.Output + result.Errors).FirstError()}");
        }

        RequireWhole(Directory.GetFiles(images, "pages-*.img"), LeastBytes(target));
        return new CaptureRun { Elapsed = result.Elapsed, Cpu = usage.Cpu, MemoryBytes = usage.PeakBytes, Note = "no ELF core" };
    }

    private static async Task<string> UnableAsync()
    {
        try
        {
            CommandResult version = (await Command.RunAsync("criu", ["--version"])).Checked();
            CommandResult check = await Command.RunAsync("criu", ["check"]);
            return check.ExitCode == 0 ? "" : $"{version.Output.OneLine()} cannot run here: {(check.Errors + check.Output).FirstError()}";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "criu is not installed";
        }
    }
}
