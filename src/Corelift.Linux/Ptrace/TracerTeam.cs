using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>What all members of a team do at the same time, each for the tasks that it seized.</summary>
internal enum TeamStep
{
    RaisePriority,
    LowerPriority,
    HoldPriority,
    Seize,
    LetRun,
    Interrupt,
    RestoreSchedules,
    Wait,
    Read,
    Resume,
    ResumeShortened,
    ResumeRest,
    End,
}

/// <summary>
/// Several OS threads that trace one process, each a share of its tasks: requests for different tracees run side by side.
/// Member 0 is the thread that made the team and calls <see cref="Run"/>; between two steps the others wait for a <see cref="Bell"/>.
/// A member that fails ends the process: one that ended alone would let its share of a stopped target run.
/// </summary>
internal sealed unsafe class TracerTeam : IDisposable
{
    /// <summary>A member is worth its start and its wake-ups from this many tasks on.</summary>
    private const int TasksPerMember = 256;

    /// <summary>Ptrace requests of one process meet in its signal lock and in the kernel's list of tasks.</summary>
    private const int MostMembers = 4;

    private const int ExitStatusOfFailure = 5;
    private const int CacheLine = 64;

    private readonly Action<int, TeamStep> _work;
    private readonly Thread[] _helpers;
    private readonly Bell _start = new();
    private int* _busy; // members that have not done the step, on a cache line of its own
    private TeamStep _step;
    private bool _ended;

    /// <summary>Starts the helpers.</summary>
    /// <param name="size">Number of members, with the caller.</param>
    /// <param name="work">Does a step for the tasks of a member. Must not throw.</param>
    internal TracerTeam(int size, Action<int, TeamStep> work)
    {
        _work = work;
        _busy = (int*)NativeMemory.AlignedAlloc(CacheLine, CacheLine);
        *_busy = 0;
        _helpers = new Thread[size - 1];
        for (int i = 0; i < _helpers.Length; i++)
        {
            int member = i + 1;
            _helpers[i] = new Thread(() => Help(member), 256 * 1024) { IsBackground = true, Name = "tracer" };
            _helpers[i].Start();
        }
    }

    /// <summary>Number of members, with the caller.</summary>
    internal int Size => _helpers.Length + 1;

    /// <summary>Members that pay for a process with this many tasks, on the CPUs that this process may use.</summary>
    internal static int SizeFor(int tasks) => Math.Clamp(tasks / TasksPerMember, 1, Math.Min(MostMembers, Environment.ProcessorCount));

    /// <summary>Has every member do a step, and returns when all have.</summary>
    /// <param name="step">What to do.</param>
    /// <param name="sleeps">Whether the caller may give its CPU away meanwhile; where not, it does so after a while all the same.</param>
    internal void Run(TeamStep step, bool sleeps = true)
    {
        const long LongestAwake = 200_000_000;
        _step = step;
        Volatile.Write(ref *_busy, _helpers.Length);
        _start.Ring();
        _work(0, step);
        long awakeUntil = sleeps ? 0 : MonotonicClock.Nanoseconds + LongestAwake;
        int busy;
        while ((busy = Volatile.Read(ref *_busy)) != 0)
        {
            if (sleeps || MonotonicClock.Nanoseconds > awakeUntil)
            {
                LibC.FutexWait(_busy, busy);
            }
        }
    }

    /// <summary>Lets the helpers end: the kernel releases what they still have seized.</summary>
    internal void End()
    {
        if (!_ended)
        {
            _ended = true;
            Run(TeamStep.End);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        End();
        foreach (Thread helper in _helpers)
        {
            helper.Join();
        }

        _start.Dispose();
        NativeMemory.AlignedFree(_busy);
        _busy = null;
    }

    private void Help(int member)
    {
        try
        {
            int heard = 0;
            TeamStep step;
            do
            {
                _start.Wait(ref heard);
                step = _step;
                _work(member, step);
                if (Interlocked.Decrement(ref *_busy) == 0)
                {
                    LibC.FutexWakeAll(_busy);
                }
            }
            while (step != TeamStep.End);
        }
        catch (Exception)
        {
            SelfControl.ExitNow(ExitStatusOfFailure); // the end of the process resumes all, wherever they are
            throw;
        }
    }
}
