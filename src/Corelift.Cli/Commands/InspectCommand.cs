using System.CommandLine;
using System.Globalization;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift inspect PID</summary>
internal static class InspectCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string> target = CommandFactory.Target();
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "inspect",
            "Describes one process. Touches nobody.",
            async (session, cancellation) =>
            {
                ProcessRef found = await TargetResolver.ResolveAsync(session, session.Get(target)!, cancellation);
                Process process = await (await session.ClientAsync(cancellation)).GetProcessAsync(found, cancellation);
                if (session.Get(json))
                {
                    JsonOutput.Print(session.Console.Out, writer => ProcessJson.Write(writer, process));
                }
                else
                {
                    Print(session, process);
                }

                return ExitCode.Ok;
            },
            "corelift inspect 1234",
            "corelift inspect postgres --json",
            "corelift inspect pod/web-7d9f/app -n shop --service-account oncall --ca ca.crt");
        command.Add(target);
        command.Add(json);
        return command;
    }

    private static void Print(CliSession session, Process process)
    {
        ProcessSummary summary = process.Summary ?? new ProcessSummary();
        MemoryUsage memory = process.Memory ?? new MemoryUsage();
        Tables.PrintFacts(
            session.Console,
            ("process", string.Create(CultureInfo.InvariantCulture, $"{summary.Name} (pid {summary.Ref?.Pid}), state {summary.State}")),
            ("command line", string.Join(' ', summary.CommandLine)),
            ("executable", process.Executable),
            ("build-id", process.BuildId),
            ("runtime", process.Runtime),
            ("users", string.Create(CultureInfo.InvariantCulture, $"uid {summary.Uid}, effective {process.EffectiveUid}, gid {process.Gid}")),
            ("parent", process.ParentPid == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{process.ParentPid}")),
            ("threads", string.Create(CultureInfo.InvariantCulture, $"{summary.ThreadCount}")),
            ("container", summary.ContainerId),
            ("pod", summary.Pod is { } pod ? $"{pod.Namespace}/{pod.Pod}, container {pod.Container}, node {pod.Node}" : ""),
            ("image", summary.Pod is { } inPod ? inPod.ImageDigest.Length > 0 ? inPod.ImageDigest : inPod.Image : ""),
            ("owner", summary.Pod is { OwnerKind.Length: > 0 } owned ? $"{owned.OwnerKind} {owned.OwnerName}" : ""),
            ("cgroup", process.Cgroup),
            ("namespaces", string.Join(", ", process.Namespaces
                .OrderBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => string.Create(CultureInfo.InvariantCulture, $"{entry.Key} {entry.Value}")))),
            ("memory", Describe(memory)),
            ("seccomp", ProcessText.Of(process.Seccomp)),
            ("dumpable", process.Dumpable ? "yes" : "no"),
            ("traced by", process.Tracer is { } tracer
                ? string.Create(CultureInfo.InvariantCulture, $"{tracer.Name} (pid {tracer.Pid})")
                : "nobody"));
    }

    private static string Describe(MemoryUsage memory)
    {
        List<string> parts = [$"{Units.Size(memory.ResidentBytes)} resident"];
        Add("anonymous", memory.AnonymousBytes);
        Add("file", memory.FileBytes);
        Add("shared", memory.SharedBytes);
        Add("swapped", memory.SwappedBytes);
        Add("page tables", memory.PageTableBytes);
        Add("pinned", memory.PinnedBytes);
        Add("hugetlb", memory.HugetlbBytes);
        parts.Add($"{Units.Size(memory.VirtualBytes)} virtual in {Units.Count(memory.VmaCount, "VMA")}");
        return string.Join(", ", parts);

        void Add(string what, ulong bytes)
        {
            if (bytes > 0)
            {
                parts.Add($"{Units.Size(bytes)} {what}");
            }
        }
    }
}
