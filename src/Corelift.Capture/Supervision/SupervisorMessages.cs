using System.Runtime.InteropServices;
using Corelift.Capture.Worker;

namespace Corelift.Capture.Supervision;

/// <summary>What a front end can ask its supervisor for. There is nothing else.</summary>
internal enum FrontEndVerb
{
    /// <summary>Start a worker. With the descriptor of a spool file, or none.</summary>
    StartWorker = 1,

    /// <summary>Kill a worker that this front end started.</summary>
    KillWorker = 2,

    /// <summary>Another socket to ask for files of targets on.</summary>
    OpenFiles = 3,
}

/// <summary>A request; fixed layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FrontEndRequest
{
    internal FrontEndVerb Verb;

    /// <summary>The front end's number for the worker, or for the answer; above 0.</summary>
    internal int Number;

    internal WorkerRequest Start;
}

/// <summary>What a supervisor says.</summary>
internal enum SupervisorMessageKind
{
    /// <summary>The first message; see <see cref="SupervisorWelcome"/>.</summary>
    Welcome = 1,

    /// <summary>The first message to a front end that is not served: another one is.</summary>
    Busy = 2,

    /// <summary>A worker runs. With the descriptor of the socket to it.</summary>
    WorkerStarted = 3,

    /// <summary>There is no worker; Refusal says why.</summary>
    WorkerRefused = 4,

    /// <summary>A worker has ended; WaitStatus says how.</summary>
    WorkerEnded = 5,

    /// <summary>A socket to ask for files on. With its descriptor, or without where there are enough.</summary>
    FilesOpened = 6,

    /// <summary>A sentence about what an agent before this one left, and what became of it.</summary>
    CleanedUp = 7,

    /// <summary>The only message to a process of a user that is not the front end's, or of another pid namespace.</summary>
    NotYou = 8,
}

/// <summary>Why a supervisor starts no worker.</summary>
internal enum WorkerRefusal
{
    None = 0,

    /// <summary>The request is not one that a front end of ours makes.</summary>
    BadRequest = 1,

    /// <summary>As many workers run as may.</summary>
    TooManyWorkers = 2,

    /// <summary>The process is not there, or another one by now.</summary>
    TargetGone = 3,

    /// <summary>The process is the supervisor, the front end, a worker, or an ancestor of one of them.</summary>
    OwnProcess = 4,

    /// <summary>The system could not start it; WaitStatus is the errno.</summary>
    CannotStart = 5,
}

/// <summary>A message of the supervisor; fixed layout with room for one sentence.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SupervisorMessage
{
    internal SupervisorMessageKind Kind;
    internal int Number;
    internal int Pid;
    internal int WaitStatus;
    internal WorkerRefusal Refusal;

    /// <summary>Of a worker that has ended: whether the supervisor killed it because its stop overran.</summary>
    internal int Overran;

    internal FixedText Text;
}

/// <summary>What a front end is told first; fixed layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SupervisorWelcome
{
    internal SupervisorMessageKind Kind;
    internal int Pid;
    internal ulong PidNamespace;
    internal ulong Capabilities;
    internal long MaxStopBudgetNanoseconds;
    internal long MaxHoldNanoseconds;
    internal int MaxWorkers;

    /// <summary>How many messages of kind CleanedUp follow.</summary>
    internal int CleanedUp;

    internal FeatureBytes Features;
    internal FixedText Version;
}
