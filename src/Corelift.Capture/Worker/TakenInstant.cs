using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>An instant that was taken, in the hands of the worker: handed to the agent, and released when that has read it.</summary>
internal sealed class TakenInstant
{
    private const long PatienceWithImage = 2_000_000_000;

    private string _leftover = string.Empty;
    private bool _released;

    internal required ReportHeader Header { get; init; }

    /// <summary>The variable parts; an auxiliary vector that is empty here is looked for.</summary>
    internal required ReportParts Parts { get; init; }

    /// <summary>What was copied in the pause, in ascending order of address.</summary>
    internal required ExtentList Extents { get; init; }

    /// <summary>Descriptors of the target itself, or nulls. Closed by <see cref="Serve"/>.</summary>
    internal TargetFiles Files { get; init; }

    internal ProcessImage? Image { get; init; }

    /// <summary>What was copied in the pause; the report says where, if it is memory of our own.</summary>
    internal SharedBuffer? PauseCopy { get; init; }

    /// <summary>Hands everything over, waits until the agent has read it or has gone, and leaves nothing of the image.</summary>
    internal void Serve(StoppedTarget target, WorkerReplies replies, WorkerClock clock)
    {
        TargetFiles files = OpenImage();
        try
        {
            if (Image is not null && (files.Memory is null || files.Pagemap is null))
            {
                throw new CaptureException(
                    CaptureFailure.ForkRefused,
                    "the image's memory cannot be opened (no /proc in the target's mounts, or an old kernel): ask for strategy direct");
            }

            byte[] auxv = Files.Auxv ?? files.Auxv ?? AuxvOnStack.Read(target.Facts) ?? [];
            using SharedBuffer report = CaptureReport.Write(Header, Parts with { Auxv = auxv }, Extents);
            replies.Instant(
                (WorkerDescriptors.Threads, target.ThreadBuffer.File),
                (WorkerDescriptors.Report, report.File),
                (WorkerDescriptors.PauseCopy, PauseCopy?.File),
                (WorkerDescriptors.Memory, files.Memory),
                (WorkerDescriptors.Pagemap, files.Pagemap),
                (WorkerDescriptors.LiveMemory, Files.Memory),
                (WorkerDescriptors.LivePagemap, Files.Pagemap));
            files.Close();
            Files.Close();
            OnServed?.Invoke();

            // Until the agent has read the image, or has gone.
            while (replies.TryReceive(TimeSpan.FromMilliseconds(int.MaxValue), out WorkerCommand command) && Obey(target, clock, command))
            {
            }
        }
        finally
        {
            ReleaseImage(target, clock);
            replies.Released(Header.PauseNanoseconds, _leftover);
        }
    }

    /// <returns>Whether the agent still needs us.</returns>
    private bool Obey(StoppedTarget target, WorkerClock clock, WorkerCommand command)
    {
        switch (command.Kind)
        {
            case WorkerCommandKind.GiveBack:
                _ = _released || Image?.GiveBack(command.Address, (ulong)command.Value, MonotonicClock.Nanoseconds + PatienceWithImage) is true;
                return true;
            case WorkerCommandKind.GiveCopyBack:
                PauseCopy?.Release((long)command.Address, command.Value);
                return true;
            case WorkerCommandKind.DropImage:
                ReleaseImage(target, clock);
                return true;
            default:
                return false;
        }
    }

    /// <summary>What is left to do once the agent has the instant.</summary>
    internal Action? OnServed { get; init; }

    private TargetFiles OpenImage()
    {
        if (Image is null)
        {
            return default;
        }

        long deadline = MonotonicClock.Nanoseconds + PatienceWithImage;
        return Image.LeaveFileTable(deadline)
            ? TargetFiles.From(Image, deadline)
            : new TargetFiles(Image.OpenFromOutside("mem", deadline), Image.OpenFromOutside("pagemap", deadline), null);
    }

    private void ReleaseImage(StoppedTarget target, WorkerClock clock)
    {
        if (Image is not null && !_released)
        {
            _released = true;
            Image.Kill(MonotonicClock.Nanoseconds + PatienceWithImage);
            _leftover = ReapTask.Reap(target.Facts.Directory.Pid, target.Facts.Stat.StartTimeTicks, Image.PidInTarget, clock);
        }
    }
}
