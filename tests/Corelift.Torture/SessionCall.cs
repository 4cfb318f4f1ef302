using Corelift.Torture.Targets;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.Torture;

/// <summary>One stop or capture of a target, from the client's side.</summary>
internal sealed class SessionCall(LiveTarget target, TortureCase torture, GrpcChannel channel)
{
    private static readonly TimeSpan s_timeToLive = TimeSpan.FromSeconds(2);

    /// <summary>Longest stop that it asks for.</summary>
    internal TimeSpan StopBudget { get; init; } = target.Kind.StopBudget;

    /// <summary>Called after each message that was read, with how many there were.</summary>
    internal Func<int, Task> AfterMessage { get; init; } = static _ => Task.CompletedTask;

    private ProcessRef Ref => new() { Pid = (uint)target.Process.Pid, StartTimeTicks = target.Process.StartTime };

    /// <summary>Runs it to its end; a core that is said to be whole is compared.</summary>
    internal async Task<Outcome> RunAsync(CancellationToken cancellation)
    {
        try
        {
            return torture.Session == Session.Stop ? await StopAsync(cancellation) : await CaptureAsync(cancellation);
        }
        catch (RpcException failure)
        {
            return Outcome.Of(failure);
        }
        catch (ObjectDisposedException)
        {
            return Outcome.Of(new RpcException(new Status(StatusCode.Cancelled, "the client closed its connection between two reads")));
        }
    }

    private async Task<Outcome> CaptureAsync(CancellationToken cancellation)
    {
        CaptureRequest request = new()
        {
            Ref = Ref,
            Options = new CaptureOptions
            {
                Strategy = torture.Session switch
                {
                    Session.Direct => Strategy.Direct,
                    Session.Fork => Strategy.Fork,
                    _ => Strategy.Precopy,
                },
                StopBudget = Duration.FromTimeSpan(StopBudget),
                Compression = Compression.None,
                Quiesce = torture.Quiesces,
            },
        };
        using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(request, cancellationToken: cancellation);
        ReceivedCore core = new(target);
        CaptureTrailer? trailer = null;
        for (int messages = 1; await call.ResponseStream.MoveNext(cancellation); messages++)
        {
            trailer = Take(core, call.ResponseStream.Current) ?? trailer;
            await AfterMessage(messages);
        }

        if (trailer is null)
        {
            throw new TestingException("a capture ended with OK and without a trailer");
        }

        bool isWhole = trailer.PartialBecause.Length == 0;
        if (isWhole)
        {
            core.AssertRight();
        }

        return new Outcome(StatusCode.OK, string.Empty, trailer.PartialBecause, isWhole);
    }

    private static CaptureTrailer? Take(ReceivedCore core, CaptureResponse message)
    {
        switch (message.PartCase)
        {
            case CaptureResponse.PartOneofCase.Memory:
                core.Take(message.Memory);
                break;
            case CaptureResponse.PartOneofCase.Zero:
                core.Take(message.Zero);
                break;
            case CaptureResponse.PartOneofCase.Threads:
                foreach (StoppedThread thread in message.Threads.Threads)
                {
                    core.Take(thread);
                }

                break;
        }

        return message.PartCase == CaptureResponse.PartOneofCase.Trailer ? message.Trailer : null;
    }

    /// <summary>Stops, looks at all registers and some memory, resumes.</summary>
    private async Task<Outcome> StopAsync(CancellationToken cancellation)
    {
        ControlService.ControlServiceClient control = new(channel);
        StopRequest request = new()
        {
            Ref = Ref,
            TimeToLive = Duration.FromTimeSpan(s_timeToLive),
            StopBudget = Duration.FromTimeSpan(StopBudget),
            ResumeOnDisconnect = true,
        };
        StopResponse lease = await control.StopAsync(request, cancellationToken: cancellation);
        await AfterMessage(1);
        int threads = 0;
        using (AsyncServerStreamingCall<GetRegistersResponse> call = control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId }, cancellationToken: cancellation))
        {
            while (await call.ResponseStream.MoveNext(cancellation))
            {
                threads += call.ResponseStream.Current.Threads.Count;
                await AfterMessage(2);
            }
        }

        if (threads != lease.ThreadCount)
        {
            throw new TestingException($"{lease.ThreadCount} threads were stopped, and registers of {threads} came");
        }

        if (target.Process.Facts.ContainsKey("private"))
        {
            await ReadAsync(control, lease.LeaseId, target.Process.Range("private"), cancellation);
        }

        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }, cancellationToken: cancellation);
        return new Outcome(StatusCode.OK, string.Empty, string.Empty, false);
    }

    private async Task ReadAsync(ControlService.ControlServiceClient control, string lease, AddressSpan span, CancellationToken cancellation)
    {
        ReadMemoryRequest request = new() { LeaseId = lease, Ranges = { new AddressRange { Start = span.Start, End = span.End } } };
        using AsyncServerStreamingCall<ReadMemoryResponse> call = control.ReadMemory(request, cancellationToken: cancellation);
        for (int messages = 3; await call.ResponseStream.MoveNext(cancellation); messages++)
        {
            if (call.ResponseStream.Current.Chunk is { } chunk && TraceeMemory.FirstDifference(chunk.Data.Span, chunk.Address) is var wrong and >= 0)
            {
                throw new TestingException($"memory that was read under a lease is not the target's at {chunk.Address + (ulong)wrong:x}");
            }

            await AfterMessage(messages);
        }
    }
}
