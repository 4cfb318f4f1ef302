using System.Net.Sockets;
using Corelift.Agent.Access;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Tests;

public sealed class PeerPolicyTests
{
    [Theory]
    [InlineData(0u, 0u, true)]
    [InlineData(0u, 5u, true)]
    [InlineData(990u, 5u, true)]
    [InlineData(1000u, 5u, false)]
    [InlineData(1000u, 77u, true)]
    [InlineData(65534u, 65534u, false)]
    public void Root_the_agents_user_and_the_group_may_call(uint uid, uint gid, bool may) =>
        Assert.Equal(may, new PeerPolicy(990, 77, true).Allows(new PeerIdentity(1, uid, gid, [])));

    [Fact]
    public void A_supplementary_group_counts_and_no_group_means_nobody()
    {
        var peer = new PeerIdentity(1, 1000, 1000, [4, 77]);
        Assert.True(new PeerPolicy(990, 77, true).Allows(peer));
        Assert.False(new PeerPolicy(990, 78, true).Allows(peer));
        Assert.False(new PeerPolicy(990, null, true).Allows(peer));
    }

    [Fact]
    public void Ids_that_the_kernel_could_not_map_mean_nobody()
    {
        var unmapped = new PeerIdentity(0, PeerPolicy.Nobody, PeerPolicy.Nobody, [PeerPolicy.Nobody]);
        Assert.True(new PeerPolicy(PeerPolicy.Nobody, null, IdsAreWhole: true).Allows(unmapped));
        Assert.False(new PeerPolicy(PeerPolicy.Nobody, PeerPolicy.Nobody, IdsAreWhole: false).Allows(unmapped));
    }

    [Fact]
    public async Task The_kernel_names_the_peer_and_the_socket_is_closed_to_others()
    {
        string directory = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        string path = Path.Combine(directory, "agent.sock");
        try
        {
            using (Socket listener = UnixSocketFactory.Bind(path, null))
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
                Assert.Equal((UnixFileMode)0b111_101_000, File.GetUnixFileMode(directory));
                listener.Listen();
                using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
                using Socket accepted = await listener.AcceptAsync();
                PeerIdentity peer = PeerIdentity.Read(accepted);
                Assert.Equal(Environment.ProcessId, peer.Pid);
                Assert.Equal(Linux.Processes.SelfControl.EffectiveUid, peer.Uid);
                Assert.Contains("stop that agent first", Assert.Throws<StartRefusedException>(() => UnixSocketFactory.Bind(path, null)).Message, StringComparison.Ordinal);
                Assert.True(File.Exists(path));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void A_dead_agents_socket_is_replaced_and_a_file_is_not()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using Socket dead = UnixSocketFactory.Bind(path, null); // bound, and nobody listens
            using Socket next = UnixSocketFactory.Bind(path, Linux.Processes.SelfControl.EffectiveGid);
            Assert.Equal((UnixFileMode)0b110_110_000, File.GetUnixFileMode(path));
            next.Dispose();
            File.WriteAllText(path, "precious");
            Assert.Throws<StartRefusedException>(() => UnixSocketFactory.Bind(path, null));
            Assert.Equal("precious", File.ReadAllText(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
