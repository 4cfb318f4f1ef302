using System.Text.Json;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>The audit log on a disk that is really full: a small tmpfs, until it has no byte left.</summary>
public sealed class AuditDiskFullTests : PolicyTest, IDisposable
{
    private const int MostRecordsInAPage = 20; // what is left of the log's last page takes some more

    private readonly ScratchFolder _disk = new();

    public AuditDiskFullTests() => Command.RunAsync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", _disk.Path]).GetAwaiter().GetResult().Checked();

    /// <inheritdoc/>
    protected override string Policy => PolicyOf(""", "audit": { "required": true }""", RootMayAll);

    /// <inheritdoc/>
    protected override string AuditPath => _disk.File("audit.jsonl");

    private string Filler => _disk.File("filler");

    public void Dispose()
    {
        Command.RunAsync("umount", [_disk.Path]).GetAwaiter().GetResult().Checked();
        _disk.Dispose();
    }

    [Fact]
    public async Task Nothing_is_done_that_cannot_be_recorded_unless_the_policy_says_otherwise_and_the_chain_holds()
    {
        ExpectedErrors = "audit record not written";
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        await CaptureAsync(root, target, Content.Stacks);
        Fill();

        int taken = 1;
        RpcException? refusal = null;
        while (refusal is null && taken < MostRecordsInAPage)
        {
            try
            {
                await CaptureAsync(root, target, Content.Stacks);
                taken++;
            }
            catch (RpcException failure)
            {
                refusal = failure;
            }
        }

        Assert.True(refusal is not null, "a full disk took records without end");
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target, Content.Stacks), refusal.StatusCode, "AUDIT_UNAVAILABLE");
        await RpcAssert.FailsWithReasonAsync(
            () => new ControlService.ControlServiceClient(root).StopAsync(new StopRequest { Ref = Ref(target) }).ResponseAsync, refusal.StatusCode, "AUDIT_UNAVAILABLE");
        Assert.Equal("0", target.Status("TracerPid"));

        File.WriteAllText(PolicyPath, PolicyOf(""", "audit": { "required": false }""", RootMayAll));
        await Wait.UntilAsync(() => Agent.Log.Contains(" holds, with ", StringComparison.Ordinal), Wait.Soon, "a policy that was taken");
        await CaptureAsync(root, target, Content.Stacks); // nobody writes that down but the agent's log

        File.Delete(Filler);
        await CaptureAsync(root, target, Content.Stacks);
        Assert.Equal(0, await Agent.StopAsync());
        JsonElement[] records = Audit();
        Assert.Equal(taken + 1, records.Count(record => record.GetProperty("event").GetString() == "begin"));
        Assert.All(
            records.Where(record => record.GetProperty("event").GetString() == "begin"),
            begin => Assert.Contains(records, end => end.GetProperty("event").GetString() == "end" && end.GetProperty("operation").GetString() == begin.GetProperty("operation").GetString()));
        (await Cli.RunAsync((string?)null, "audit", "verify", AuditPath)).Checked();
        await target.CheckAsync();
    }

    /// <summary>Takes every page that is left.</summary>
    private void Fill()
    {
        using FileStream filler = File.Create(Filler, bufferSize: 0);
        byte[] page = new byte[4096];
        bool isFull = false;
        while (!isFull)
        {
            try
            {
                filler.Write(page);
            }
            catch (IOException)
            {
                isFull = true;
            }
        }
    }
}
