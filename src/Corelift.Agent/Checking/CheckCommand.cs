using System.CommandLine;
using Corelift.Agent.Hosting;
using Corelift.Capture;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Checking;

/// <summary>corelift-agent check: what works on this host, and what to do about what does not.</summary>
internal static class CheckCommand
{
    private static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    internal static Command Create()
    {
        var command = new Command("check", "Say what works on this host, and what to do about what does not; takes the options of serve. Exit code: 0 all, 1 with limits, 2 cannot work");
        command.Options.Add(s_json);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult result, CancellationToken cancellationToken)
    {
        try
        {
            IReadOnlyList<CheckLine> lines = await CheckAsync(AgentCommand.Read(result), cancellationToken).ConfigureAwait(false);
            string text = result.GetValue(s_json) ? CheckOutput.ToJson(lines) : CheckOutput.ToTable(lines);
            await result.InvocationConfiguration.Output.WriteAsync(text).ConfigureAwait(false);
            return CheckOutput.ExitCode(lines);
        }
        catch (StartRefusedException refusal)
        {
            await result.InvocationConfiguration.Error.WriteLineAsync("corelift-agent: " + refusal.Message).ConfigureAwait(false);
            return ExitCodes.Configuration;
        }
    }

    private static async Task<IReadOnlyList<CheckLine>> CheckAsync(AgentOptions options, CancellationToken cancellationToken)
    {
        CapabilitySet held = CapabilitySet.OfThisProcess();
        KernelFeatures features = KernelFeatures.Probe();
        List<CheckLine> lines = [.. Security(held, features), .. KernelChecks.Features(features)];
        lines.Add(KernelChecks.Cgroups(File.Exists("/sys/fs/cgroup/cgroup.controllers"), Directory.Exists("/sys/fs/cgroup/memory")));
        lines.Add(KernelChecks.Overcommit(SystemFiles.Read("/proc/sys/vm/overcommit_memory")));
        lines.Add(PlaceChecks.Spool(options.SpoolBytes, SystemFiles.MemInfo("MemAvailable"), SystemFiles.MemoryLimit()));
        lines.Add(PlaceChecks.SpoolDirectory(options.SpoolDirectory));
        lines.Add(PlaceChecks.State(options.StateDirectory, options.Listen));
        lines.AddRange(options.Listen.Select(PlaceChecks.Listen));

        // From here on as the agent is: closed to others.
        SelfControl.MakeNonDumpable();
        if (StartChecks.Needed.Except(held).IsEmpty)
        {
            CaptureEngineOptions engine = AgentHost.ToEngine(options, features) with { StateDirectory = null, SpoolDirectory = null };
            lines.AddRange(await TrialChecks.RunAsync(engine, cancellationToken).ConfigureAwait(false));
        }
        else
        {
            lines.Add(CheckLine.Failed("trials", "not made: capabilities are missing", "give them first"));
        }

        return lines;
    }

    private static IEnumerable<CheckLine> Security(CapabilitySet held, KernelFeatures features)
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        TaskStatus status = self.ReadStatus();
        string? label = SystemFiles.Read("/proc/self/attr/current");
        return
        [
            SecurityChecks.Capabilities(held),
            SecurityChecks.ExtraCapabilities(held),
            SecurityChecks.Yama(features.YamaPtraceScope),
            SecurityChecks.Modules(SystemFiles.Read("/sys/kernel/security/lsm")),
            SecurityChecks.AppArmor(SystemFiles.Read("/sys/module/apparmor/parameters/enabled"), label),
            SecurityChecks.SeLinux(SystemFiles.Read("/sys/fs/selinux/enforce"), label),
            SecurityChecks.Lockdown(SystemFiles.Read("/sys/kernel/security/lockdown")),
            SecurityChecks.Seccomp(status.SeccompMode, status.SeccompFilterCount),
            SecurityChecks.ProcMount(SystemFiles.Read("/proc/self/mountinfo")),
            SecurityChecks.UserNamespace(SystemFiles.NamespaceInode("user")),
            SecurityChecks.PidNamespace(SystemFiles.NamespaceInode("pid")),
        ];
    }
}
