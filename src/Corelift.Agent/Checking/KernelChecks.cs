using Corelift.Linux;

namespace Corelift.Agent.Checking;

/// <summary>What the kernel can do, and what is lost without it.</summary>
internal static class KernelChecks
{
    private const string Filter = "where the kernel has it, a seccomp filter over the agent refuses it: allow it there";

    internal static IEnumerable<CheckLine> Features(KernelFeatures features)
    {
        string lost = features.SoftDirty == FeatureState.Present ? "strategy precopy goes by soft-dirty bits, and pauses longer" : "no strategy precopy";
        yield return Of("pidfd_open", features.PidfdOpen, "a pid that is reused is noticed later", $"Linux 5.3; {Filter}");
        yield return Of("pidfd_getfd", features.PidfdGetfd, "targets of other users cannot be read", $"Linux 5.6; {Filter}");
        yield return Of("close_range", features.CloseRange, "an image keeps the target's descriptors open while it lives", $"Linux 5.9; {Filter}");
        yield return Of("PAGEMAP_SCAN", features.PagemapScan, $"{lost}, and pages are looked up one by one", "Linux 6.7");
        yield return Of("userfaultfd, asynchronous write protection", features.WriteProtectAsync, lost, $"Linux 6.7; {Filter}");
        yield return Of("process_vm_readv", features.ProcessVmReadv, "targets under seccomp cannot be read", Filter);
        yield return Of("move_pages", features.MovePages, "pages that never existed cannot be told from others without PAGEMAP_SCAN", Filter);
        yield return Of(
            "forced reads of mem", features.ForcedMemRead, "memory that a target itself may not read is missing from cores",
            "start the host with proc_mem.force_override=ptrace, or a kernel built with CONFIG_PROC_MEM_ALWAYS_FORCE");
        yield return Of(
            "SCHED_FIFO", features.RealTimePriority, "stops are made at nice -20 alone, and last longer on a busy host",
            "give its cpu cgroup real-time time (cpu.rt_runtime_us, version 1), or run it outside of one");
    }

    internal static CheckLine Cgroups(bool isUnified, bool hasVersion1) => CheckLine.Ok(
        "cgroups", isUnified ? "version 2" : hasVersion1 ? "version 1, or both" : "none mounted: a target's memory limit is not watched");

    internal static CheckLine Overcommit(string? mode) => mode == "2"
        ? CheckLine.Limited(
            "overcommit", "vm.overcommit_memory is 2: the kernel refuses images of targets larger than what is left to commit",
            "use strategy precopy or direct for large targets, or set vm.overcommit_memory to 0 or 1")
        : CheckLine.Ok("overcommit", mode is null ? "not known" : $"vm.overcommit_memory is {mode}");

    private static CheckLine Of(string name, FeatureState state, string loss, string remedy) => state switch
    {
        FeatureState.Present => CheckLine.Ok(name, "there"),
        FeatureState.Missing => CheckLine.Limited(name, $"missing: {loss}", remedy),
        _ => CheckLine.Limited(name, $"could not be tried: perhaps {loss}", remedy),
    };
}
