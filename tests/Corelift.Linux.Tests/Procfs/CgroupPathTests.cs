using System.Text;
using Corelift.Linux.Procfs;

namespace Corelift.Linux.Tests.Procfs;

public sealed class CgroupPathTests
{
    private const string Id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    private const string Other = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData($"/docker/{Id}")]
    [InlineData($"/system.slice/docker-{Id}.scope")]
    [InlineData($"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{Id}.scope")]
    [InlineData($"/kubepods/burstable/pod1/{Id}")]
    [InlineData($"/kubepods.slice/crio-{Id}.scope/container")]
    [InlineData($"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{Id}")]
    [InlineData($"/machine.slice/libpod-{Id}.scope")]
    [InlineData($"/docker/{Other}/docker/{Id}/init.scope")]
    public void The_innermost_container_is_found(string path) => Assert.Equal(Id, CgroupPath.FindContainerId(path));

    [Theory]
    [InlineData("/")]
    [InlineData("")]
    [InlineData("/user.slice/session-1.scope")]
    [InlineData($"/machine.slice/libpod-conmon-{Id}.scope")]
    [InlineData($"/x{Id}")]
    [InlineData("/0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF")]
    [InlineData("/process_api/8a30c054b0ab5c70c294a17c75d782ab")]
    public void Other_paths_name_none(string path) => Assert.Empty(CgroupPath.FindContainerId(path));

    [Fact]
    public void All_three_set_ups_are_read()
    {
        CgroupPath v2 = Parse($"0::/docker/{Id}\n");
        Assert.Equal(($"/docker/{Id}", Id), (v2.Path, v2.ContainerId));
        CgroupPath v1 = Parse($"9:name=systemd:/a\n4:memory:/docker/{Id}\n3:pids:/p\n2:cpu,freezer:/f\n");
        Assert.Equal(($"/docker/{Id}", Id, "/p", "/f", null), (v1.Path, v1.ContainerId, v1.Pids, v1.Freezer, v1.Unified));
        CgroupPath hybrid = Parse("4:memory:/m:with colon\n0::/\n");
        Assert.Equal(("/m:with colon", "/", string.Empty), (hybrid.Path, hybrid.Unified, hybrid.ContainerId));
        Assert.Empty(Parse("").Path);
    }

    [Theory]
    [InlineData("0:")]
    [InlineData("0::/")]
    [InlineData("none\n")]
    public void Texts_that_no_kernel_writes_are_refused(string text) => Assert.Throws<ProcfsFormatException>(() => Parse(text));

    private static CgroupPath Parse(string text) => CgroupPath.Parse(Encoding.UTF8.GetBytes(text), ProcfsLimits.Default);
}
