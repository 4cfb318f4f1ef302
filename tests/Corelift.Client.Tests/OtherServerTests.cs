using Corelift.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Corelift.Client.Tests;

/// <summary>Somebody answers, but it is no agent.</summary>
public sealed class OtherServerTests
{
    [Fact]
    public async Task A_web_server_is_told_apart_from_an_agent()
    {
        string folder = Directory.CreateTempSubdirectory("corelift-").FullName;
        string path = Path.Combine(folder, "web.sock");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http2));
        await using (WebApplication web = builder.Build()) // without a page: 404 to everything
        {
            await web.StartAsync();
            await using CoreliftClient client = CoreliftClient.Connect(AgentAddress.Parse(path));

            AgentUnreachableException failure = await Assert.ThrowsAsync<AgentUnreachableException>(() => client.GetProcessAsync(new ProcessRef { Pid = 42 }));

            Assert.StartsWith($"what answers at unix:{path} is no corelift-agent: ", failure.Message, StringComparison.Ordinal);
            Assert.Contains("404", failure.Message, StringComparison.Ordinal);
        }

        Directory.Delete(folder, recursive: true);
    }
}
