using System.Text.Json;
using Corelift.Agent.Checking;
using Corelift.Agent.Hosting;
using Corelift.Linux;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Tests;

/// <summary>What 'check' says of hosts that this one is not.</summary>
public sealed class CheckingTests
{
    private const CheckState Ok = CheckState.Ok, Limited = CheckState.Limited, Failed = CheckState.Failed;

    [Fact]
    public void Capabilities_are_needed_and_others_are_too_much()
    {
        Assert.Equal(Ok, SecurityChecks.Capabilities(StartChecks.Needed).State);
        CheckLine missing = SecurityChecks.Capabilities(CapabilitySet.SysNice);
        Assert.Equal((Failed, "without CAP_SYS_PTRACE"), (missing.State, missing.Found));
        Assert.Equal(Ok, SecurityChecks.ExtraCapabilities(StartChecks.Needed | CapabilitySet.DacReadSearch).State);
        Assert.Equal((Limited, "CAP_SYS_ADMIN"), Short(SecurityChecks.ExtraCapabilities(StartChecks.Needed | new CapabilitySet(1UL << 21))));
    }

    [Theory]
    [InlineData(null, Ok)]
    [InlineData(0, Ok)]
    [InlineData(1, Ok)]
    [InlineData(2, Ok)]
    [InlineData(3, Failed)]
    public void Yama_forbids_at_3_alone(int? scope, object state) => Assert.Equal(state, SecurityChecks.Yama(scope).State);

    [Fact]
    public void Security_modules_limit_where_they_confine_the_agent()
    {
        Assert.Equal(Ok, SecurityChecks.AppArmor(null, null).State);
        Assert.Equal(Ok, SecurityChecks.AppArmor("Y", "unconfined").State);
        Assert.Equal(Limited, SecurityChecks.AppArmor("Y", "cri-containerd.apparmor.d (enforce)").State);
        Assert.Equal(Ok, SecurityChecks.SeLinux(null, null).State);
        Assert.Equal(Ok, SecurityChecks.SeLinux("0", "system_u:system_r:container_t:s0").State);
        Assert.Equal(Ok, SecurityChecks.SeLinux("1", "system_u:system_r:spc_t:s0").State);
        Assert.Equal(Limited, SecurityChecks.SeLinux("1", "system_u:system_r:container_t:s0:c1,c2").State);
        Assert.Equal((Ok, "integrity"), Short(SecurityChecks.Lockdown("none [integrity] confidentiality")));
    }

    [Theory]
    [InlineData("22 1 0:20 / /proc rw,nosuid - proc proc rw", Ok, "hides nothing")]
    [InlineData("22 1 0:20 / /proc rw - proc proc rw,gid=7,hidepid=invisible", Ok, "rw,gid=7,hidepid=invisible, which CAP_SYS_PTRACE passes")]
    [InlineData("22 1 0:20 / /proc rw - proc proc rw,subset=pid", Limited, "mounted with subset=pid: memory and features of the host are not seen")]
    [InlineData("21 1 0:19 / /sys rw - sysfs sysfs rw", Failed, "not mounted")]
    public void Options_of_proc_are_understood(string mountInfo, object state, string found) => Assert.Equal((state, found), ((object)SecurityChecks.ProcMount(mountInfo).State, SecurityChecks.ProcMount(mountInfo).Found));

    [Fact]
    public void Namespaces_of_ones_own_are_limits()
    {
        Assert.Equal(Ok, SecurityChecks.UserNamespace(4026531837).State);
        Assert.Equal(Limited, SecurityChecks.UserNamespace(4026532000).State);
        Assert.Equal(Ok, SecurityChecks.PidNamespace(4026531836).State);
        Assert.Contains("hostPID", SecurityChecks.PidNamespace(4026532001).Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_features_say_what_is_lost()
    {
        Dictionary<string, CheckLine> lines = KernelChecks.Features(new KernelFeatures { PagemapScan = FeatureState.Present, WriteProtectAsync = FeatureState.Missing })
            .ToDictionary(line => line.Name);
        Assert.Equal(Ok, lines["PAGEMAP_SCAN"].State);
        CheckLine tracking = lines["userfaultfd, asynchronous write protection"];
        Assert.Equal((Limited, "missing: no strategy precopy"), Short(tracking));
        Assert.StartsWith("Linux 6.7", tracking.Remedy, StringComparison.Ordinal);
        Assert.StartsWith("could not be tried", lines["pidfd_open"].Found, StringComparison.Ordinal);

        CheckLine older = KernelChecks.Features(new KernelFeatures { WriteProtectAsync = FeatureState.Missing, SoftDirty = FeatureState.Present })
            .Single(line => line.Name == tracking.Name);
        Assert.Equal((Limited, "missing: strategy precopy goes by soft-dirty bits, and pauses longer"), Short(older));
    }

    [Fact]
    public void A_spool_must_fit_memory_and_the_agents_own_cgroup()
    {
        const long GibiByte = 1L << 30;
        Assert.Equal((Ok, "up to 2.0 GiB of 8.0 GiB available"), Short(PlaceChecks.Spool(0, 8 * GibiByte, null)));
        Assert.Equal(Limited, PlaceChecks.Spool(9 * GibiByte, 8 * GibiByte, null).State);
        Assert.Equal((Limited, "up to 2.0 GiB of 8.0 GiB available, but the agent's cgroup allows 0.5 GiB"), Short(PlaceChecks.Spool(0, 8 * GibiByte, GibiByte / 2)));
        Assert.Equal(Limited, KernelChecks.Overcommit("2").State);
        Assert.Equal(Ok, KernelChecks.Overcommit("1").State);
    }

    [Fact]
    public void The_worst_line_is_the_exit_code_and_text_of_others_is_escaped()
    {
        CheckLine[] lines = [CheckLine.Ok("a", "there"), CheckLine.Limited("b", "red\e[31m", "mend it")];
        Assert.Equal(1, CheckOutput.ExitCode(lines));
        Assert.Equal(2, CheckOutput.ExitCode([.. lines, CheckLine.Failed("c", "gone", "x")]));
        Assert.Equal(0, CheckOutput.ExitCode(lines[..1]));
        Assert.Equal("ok       a  there\nlimited  b  red\\x1b[31m\n            -> mend it\n\nthe agent works here, with limits\n", CheckOutput.ToTable(lines));
        using JsonDocument json = JsonDocument.Parse(CheckOutput.ToJson(lines));
        Assert.Equal("mend it", json.RootElement.GetProperty("checks")[1].GetProperty("remedy").GetString());
    }

    private static (CheckState State, string Found) Short(CheckLine line) => (line.State, line.Found);
}
