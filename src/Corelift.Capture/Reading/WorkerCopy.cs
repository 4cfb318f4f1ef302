using Corelift.Capture.Sessions;
using Corelift.Capture.Worker;
using Corelift.Linux.Memory;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Reading;

/// <summary>What a worker copied in the pause into memory of its own, read through its mem file for as long as it lives.</summary>
/// <param name="memory">The worker's mem file; owned.</param>
/// <param name="address">Where the copy lies in it.</param>
/// <param name="worker">The worker.</param>
internal sealed class WorkerCopy(SafeFileHandle memory, ulong address, WorkerConnection worker) : IDisposable
{
    /// <summary>Reads a part of the copy.</summary>
    /// <exception cref="CaptureException">The worker has gone, and the copy with it.</exception>
    internal void Read(long offset, Span<byte> destination)
    {
        for (int position = 0; position < destination.Length;)
        {
            int read = MemFile.Read(memory, new RemoteAddress(address + (ulong)(offset + position)), destination[position..], out _);
            if (read == 0)
            {
                throw new CaptureException(
                    CaptureFailure.WorkerLost,
                    "the worker that held the copy of the target's memory ended unexpectedly while that was being read, and the process runs: see the agent's log, and try again");
            }

            position += read;
        }
    }

    /// <summary>Has the worker give the memory of a part back to the machine.</summary>
    internal void Release(long offset, long lengthBytes) =>
        _ = worker.Send(new WorkerCommand { Kind = WorkerCommandKind.GiveCopyBack, Address = (ulong)offset, Value = lengthBytes });

    public void Dispose() => memory.Dispose();
}
