#pragma warning disable CA2000 // Journals are owned by whoever restores them.
using System.Globalization;
using System.Text;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Supervision;

/// <summary>
/// The process that keeps the two capabilities: parent of the workers, and on a plain host of the front end as well. It opens
/// no network socket, and knows no gRPC.
/// </summary>
public static class SupervisorProgram
{
    /// <summary>The descriptor on which a front end finds the supervisor that started it.</summary>
    public const int FrontEndDescriptor = 3;

    private const int SignalBase = 128;
    private const long PatienceWithFrontEnd = 10_000_000_000;
    private const UnixFileMode EverybodyConnects = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private static readonly TimeSpan s_patienceWithRestore = TimeSpan.FromSeconds(10);

    /// <summary>Starts a front end without any capability, and serves it until it ends.</summary>
    /// <param name="options">How.</param>
    /// <param name="arguments">Arguments of the front end.</param>
    /// <returns>Exit code of the front end; 128 and the signal's number where one killed it.</returns>
    /// <exception cref="SyscallException">It could not be started.</exception>
    public static int RunWithFrontEnd(SupervisorOptions options, IReadOnlyList<string> arguments)
    {
        (SupervisorSettings settings, SupervisorWelcome welcome, List<string> cleanedUp) = Prepare(options);
        using var signals = new StopSignals();
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        using MessageSocket toFrontEnd = ours;
        ChildProcess frontEnd;
        using (theirs)
        {
            frontEnd = ChildProcess.StartWithoutCapabilities(settings.Executable, [settings.Executable, .. arguments], theirs);
        }

        var events = new FrontEndChild(frontEnd, signals, options.FrontEndPatience);
        new Supervisor(settings, toFrontEnd, frontEnd.Pid).Serve(welcome, cleanedUp, events);
        long latest = MonotonicClock.Nanoseconds + PatienceWithFrontEnd;
        while (!frontEnd.TryReap())
        {
            if (MonotonicClock.Nanoseconds > latest)
            {
                frontEnd.Kill(); // it broke the protocol, or hangs
            }

            MonotonicClock.Relax(2_000_000);
        }

        int status = ChildProcess.ExitStatusOf(frontEnd.WaitStatus);
        return status >= 0 ? status : events.WasTerminated ? 0 : SignalBase + Math.Max(0, frontEnd.WaitStatus & 0x7F);
    }

    /// <summary>Serves front ends of one uid, one at a time, until told to stop.</summary>
    /// <param name="options">How.</param>
    /// <param name="path">Absolute path of the socket. Every user can connect to it; who is served is decided by the peer's uid.</param>
    /// <param name="frontEndUid">Whom to serve.</param>
    /// <param name="say">Writes a line for the operator.</param>
    /// <exception cref="SyscallException">The socket cannot be made.</exception>
    public static void RunListening(SupervisorOptions options, string path, uint frontEndUid, Action<string> say)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(say);
        (SupervisorSettings settings, SupervisorWelcome welcome, List<string> cleanedUp) = Prepare(options);
        using var signals = new StopSignals();
        using MessageListener listener = MessageListener.Bind(path, EverybodyConnects);
        say($"corelift-agent {options.Version} supervisor serves a front end of uid {frontEndUid} on unix:{path}");
        cleanedUp.ForEach(say);
        var events = new FrontEndQueue(listener, frontEndUid, signals, options.FrontEndPatience, say);
        while (events.Next() is { } frontEnd)
        {
            using (frontEnd)
            {
                int pid = frontEnd.Peer.Pid;
                say(string.Create(CultureInfo.InvariantCulture, $"front end {pid} connected"));
                new Supervisor(settings, frontEnd, pid).Serve(welcome, cleanedUp, events);
                say(string.Create(CultureInfo.InvariantCulture, $"front end {pid} has gone, and nobody is held for it"));
            }
        }

        File.Delete(path);
        say("supervisor stopped");
    }

    /// <summary>
    /// A supervisor on a thread of this process, which keeps its capabilities and opens files itself: to try things, never to serve
    /// anybody.
    /// </summary>
    public static SupervisorConnection StartInside(SupervisorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        (SupervisorSettings settings, SupervisorWelcome welcome, List<string> cleanedUp) = Prepare(options);
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        new Thread(() => new Supervisor(settings, ours, Environment.ProcessId).Serve(welcome, cleanedUp, new NoEvents()), 256 * 1024)
        {
            IsBackground = true,
            Name = "supervisor",
        }.Start();
        return SupervisorConnection.Open(theirs, options.Version, asksForFiles: false);
    }

    /// <summary>Inode of this process's pid namespace: two processes with the same one mean the same by a pid.</summary>
    internal static ulong OwnPidNamespace()
    {
        using ProcessDirectory self = ProcessDirectory.OpenSelf();
        string link = Encoding.ASCII.GetString(self.ReadLinkBytes("ns/pid")); // pid:[4026531836]
        return ulong.Parse(link.AsSpan(link.IndexOf('[', StringComparison.Ordinal) + 1).TrimEnd(']'), NumberStyles.None, CultureInfo.InvariantCulture);
    }

    private static (SupervisorSettings Settings, SupervisorWelcome Welcome, List<string> CleanedUp) Prepare(SupervisorOptions options)
    {
        // Probed while our own /proc files are still ours; then this process is closed to others.
        KernelFeatures features = KernelFeatures.Probe();
        SelfControl.MakeNonDumpable();
        SelfControl.GiveWay(0);
        SelfControl.DisableCoreDumps();
        SelfControl.CreateFilesPrivately();
        var settings = new SupervisorSettings(
            Environment.ProcessPath ?? throw new SyscallException("readlink(/proc/self/exe)", 0, Errno.NoSuchFile), options.Limits, new QuiesceJournals(options.StateDirectory));
        var welcome = new SupervisorWelcome
        {
            Kind = SupervisorMessageKind.Welcome,
            Pid = Environment.ProcessId,
            PidNamespace = OwnPidNamespace(),
            Capabilities = CapabilitySet.OfThisProcess().Bits,
            MaxStopBudgetNanoseconds = options.Limits.MaxStopBudget.Ticks * 100,
            MaxHoldNanoseconds = options.Limits.MaxHold.Ticks * 100,
            MaxWorkers = options.Limits.MaxWorkers,
            Features = FeatureBytes.From(features),
            Version = new FixedText(options.Version),
        };
        return (settings, welcome, RestoreLeftovers(settings));
    }

    /// <summary>Gives schedules back that a supervisor before this one did not: both it and its worker were killed.</summary>
    private static List<string> RestoreLeftovers(SupervisorSettings settings)
    {
        var said = new List<string>();
        foreach ((string pid, string path) in settings.Journals.FindLeftovers())
        {
            try
            {
                using (SafeFileHandle journal = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
                {
                    long restored = QuiesceJournals.IsPending(journal) ? Restore(settings, journal) : 0;
                    if (restored > 0)
                    {
                        said.Add($"{restored} tasks of process {pid} that an earlier agent had quiesced have their own schedules again");
                    }
                }

                File.Delete(path);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                said.Add($"what an earlier agent noted of quiesced process {pid} could not be used: {failure.Message}");
            }
        }

        return said;
    }

    private static long Restore(SupervisorSettings settings, SafeFileHandle journal)
    {
        var request = new WorkerRequest { Task = WorkerTask.Restore };
        using SupervisedWorker worker = SupervisedWorker.Start(settings.Executable, 0, request, null, journal, out MessageSocket toWorker);
        using MessageSocket socket = toWorker;
        Span<byte> message = stackalloc byte[WorkerMessage.MaxBytes];
        WorkerReply reply = default;
        if (socket.WaitReadable((int)s_patienceWithRestore.TotalMilliseconds))
        {
            _ = WorkerMessage.TryRead(message[..socket.Receive(message, [])], out reply);
        }

        worker.EndAndReap();
        return reply.Value;
    }
}
