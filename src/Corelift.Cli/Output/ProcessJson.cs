using System.Text.Json;
using Corelift.V1;

namespace Corelift.Cli.Output;

/// <summary>Processes and plans as members of a JSON object.</summary>
internal static class ProcessJson
{
    internal static void WriteSummary(Utf8JsonWriter writer, ProcessSummary process)
    {
        writer.WriteNumber("pid", process.Ref?.Pid ?? 0);
        writer.WriteNumber("start_time_ticks", process.Ref?.StartTimeTicks ?? 0);
        writer.WriteString("name", process.Name);
        writer.WriteStrings("command_line", process.CommandLine);
        writer.WriteNumber("uid", process.Uid);
        writer.WriteNumber("threads", process.ThreadCount);
        writer.WriteNumber("resident_bytes", process.ResidentBytes);
        writer.WriteString("container_id", process.ContainerId);
        writer.WriteString("state", process.State);
        if (process.StartedAt is { Nanos: >= 0 and < 1_000_000_000, Seconds: >= 0 and < 253_402_300_800 } started)
        {
            writer.WriteString("started_at", started.ToDateTime());
        }

        if (process.Pod is { } pod)
        {
            WritePod(writer, pod);
        }
    }

    internal static void Write(Utf8JsonWriter writer, Process process)
    {
        WriteSummary(writer, process.Summary ?? new ProcessSummary());
        writer.WriteString("executable", process.Executable);
        writer.WriteString("build_id", process.BuildId);
        writer.WriteNumber("parent_pid", process.ParentPid);
        writer.WriteNumber("effective_uid", process.EffectiveUid);
        writer.WriteNumber("gid", process.Gid);
        writer.WriteStartObject("namespaces");
        foreach (KeyValuePair<string, ulong> entry in process.Namespaces.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            writer.WriteNumber(entry.Key, entry.Value);
        }

        writer.WriteEndObject();
        writer.WriteString("cgroup", process.Cgroup);
        WriteMemory(writer, process.Memory ?? new MemoryUsage());
        if (process.Tracer is { } tracer)
        {
            writer.WriteStartObject("tracer");
            writer.WriteNumber("pid", tracer.Pid);
            writer.WriteString("name", tracer.Name);
            writer.WriteEndObject();
        }

        writer.WriteString("seccomp", ProcessText.Of(process.Seccomp));
        writer.WriteBoolean("dumpable", process.Dumpable);
        writer.WriteNumber("elf_machine", process.ElfMachine);
        writer.WriteString("runtime", process.Runtime);
    }

    internal static void Write(Utf8JsonWriter writer, CapturePlan plan)
    {
        writer.WriteString("strategy", ProcessText.Of(plan.Strategy));
        writer.WriteStrings("reasons", plan.Reasons);
        writer.WriteString("content", ProcessText.Of(plan.Content));
        writer.WriteMicroseconds("estimated_pause_us", Units.FromWire(plan.EstimatedPause));
        CaptureBytes bytes = plan.Bytes ?? new CaptureBytes();
        writer.WriteNumber("total_bytes", bytes.TotalBytes);
        writer.WriteNumber("anonymous_bytes", bytes.AnonymousBytes);
        writer.WriteNumber("file_bytes", bytes.FileBytes);
        writer.WriteNumber("shared_bytes", bytes.SharedBytes);
        writer.WriteNumber("pause_copy_bytes", bytes.PauseCopyBytes);
        if (plan.HasDirtyBytesPerSecond)
        {
            writer.WriteNumber("dirty_bytes_per_second", plan.DirtyBytesPerSecond);
        }
        else
        {
            writer.WriteNull("dirty_bytes_per_second");
        }

        writer.WriteNumber("thread_count", plan.ThreadCount);
        writer.WriteNumber("vma_count", plan.VmaCount);
        writer.WriteStrings("warnings", plan.Warnings);
    }

    private static void WritePod(Utf8JsonWriter writer, PodContainer pod)
    {
        writer.WriteStartObject("pod");
        writer.WriteString("namespace", pod.Namespace);
        writer.WriteString("name", pod.Pod);
        writer.WriteString("uid", pod.PodUid);
        writer.WriteString("container", pod.Container);
        writer.WriteString("image", pod.Image);
        writer.WriteString("image_digest", pod.ImageDigest);
        writer.WriteString("node", pod.Node);
        writer.WriteStartObject("labels");
        foreach ((string key, string value) in pod.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            writer.WriteString(key, value);
        }

        writer.WriteEndObject();
        writer.WriteString("owner_kind", pod.OwnerKind);
        writer.WriteString("owner_name", pod.OwnerName);
        writer.WriteEndObject();
    }

    private static void WriteMemory(Utf8JsonWriter writer, MemoryUsage memory)
    {
        writer.WriteStartObject("memory");
        writer.WriteNumber("virtual_bytes", memory.VirtualBytes);
        writer.WriteNumber("resident_bytes", memory.ResidentBytes);
        writer.WriteNumber("anonymous_bytes", memory.AnonymousBytes);
        writer.WriteNumber("file_bytes", memory.FileBytes);
        writer.WriteNumber("shared_bytes", memory.SharedBytes);
        writer.WriteNumber("swapped_bytes", memory.SwappedBytes);
        writer.WriteNumber("page_table_bytes", memory.PageTableBytes);
        writer.WriteNumber("pinned_bytes", memory.PinnedBytes);
        writer.WriteNumber("hugetlb_bytes", memory.HugetlbBytes);
        writer.WriteNumber("vma_count", memory.VmaCount);
        writer.WriteEndObject();
    }
}
