using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests;

public sealed class KernelFeaturesTests
{
    [Fact]
    public void Probing_finds_what_every_supported_kernel_has_and_leaves_nothing_behind()
    {
        _ = KernelFeatures.Probe();
        int before = Directory.GetFiles("/proc/self/fd").Length;
        KernelFeatures features = KernelFeatures.Probe();
        Assert.InRange(Directory.GetFiles("/proc/self/fd").Length, 0, before + 2); // other tests run meanwhile
        Assert.Equal(FeatureState.Present, features.PidfdOpen);
        Assert.Equal(FeatureState.Present, features.PidfdGetfd);
        Assert.Equal(FeatureState.Present, features.CloseRange);
        Assert.Equal(FeatureState.Present, features.ProcessVmReadv);
        Assert.Contains("pidfd_open", features.ToString(), StringComparison.Ordinal);
        Assert.Contains("PAGEMAP_SCAN", features.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FeatureState.Present, FeatureState.Present, FeatureState.Present, WriteTracking.Protection)]
    [InlineData(FeatureState.Present, FeatureState.Missing, FeatureState.Present, WriteTracking.SoftDirty)]
    [InlineData(FeatureState.Missing, FeatureState.Present, FeatureState.Present, WriteTracking.SoftDirty)]
    [InlineData(FeatureState.Missing, FeatureState.Missing, FeatureState.Unknown, WriteTracking.None)]
    public void Soft_dirty_bits_track_writes_where_nothing_better_does(
        FeatureState protection, FeatureState scan, FeatureState softDirty, WriteTracking expected) =>
        Assert.Equal(expected, new KernelFeatures { WriteProtectAsync = protection, PagemapScan = scan, SoftDirty = softDirty }.Tracking);

    [Fact]
    public void Capabilities_have_names()
    {
        CapabilitySet both = CapabilitySet.SysPtrace | CapabilitySet.SysNice;
        Assert.Equal(0x880000UL, both.Bits);
        Assert.Equal("CAP_SYS_PTRACE CAP_SYS_NICE", both.ToString());
        Assert.Equal("CAP_CHECKPOINT_RESTORE", new CapabilitySet(1UL << 40).ToString());
        Assert.Equal("capability 63", new CapabilitySet(1UL << 63).ToString());
        Assert.Equal(CapabilitySet.SysNice, both.Except(CapabilitySet.SysPtrace));
        string line = File.ReadLines("/proc/self/status").First(text => text.StartsWith("CapEff:", StringComparison.Ordinal));
        Assert.Equal(Convert.ToUInt64(line["CapEff:".Length..].Trim(), 16), CapabilitySet.OfThisProcess().Bits);
    }

    [Fact]
    public void Start_times_are_wall_clock_times()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        TimeSpan difference = BootClock.ToTime(self.ReadStat().StartTimeTicks) - process.StartTime.ToUniversalTime();
        Assert.InRange(difference.TotalSeconds, -1, 1);
        _ = BootClock.ToTime(ulong.MaxValue);
        Assert.Equal(ulong.MaxValue, BootClock.ToMicroseconds(ulong.MaxValue));
        Assert.Equal(20_000UL, BootClock.ToMicroseconds(2));
    }
}
