namespace Corelift.Linux.Procfs;

/// <summary>/proc/PID/stat or /proc/PID/task/TID/stat (proc_pid_stat(5)): the fields that cores and lists need.</summary>
public sealed record TaskStat
{
    private const ulong KernelThreadFlag = 0x00200000; // PF_KTHREAD
    private const ulong ExitingFlag = 0x4; // PF_EXITING

    /// <summary>Task id; of a process, its pid.</summary>
    public required int Tid { get; init; }

    /// <summary>Name (comm) as the kernel's bytes: up to 15, of kernel threads up to 63. May hold anything but NUL.</summary>
    public required ReadOnlyMemory<byte> NameBytes { get; init; }

    /// <summary>State letter: R, S, D, T, t, Z, X, I ...</summary>
    public required char State { get; init; }

    /// <summary>Parent's pid; 0 where it lies outside the reader's pid namespace.</summary>
    public required int ParentPid { get; init; }

    /// <summary>Process group.</summary>
    public required int ProcessGroup { get; init; }

    /// <summary>Session.</summary>
    public required int Session { get; init; }

    /// <summary>The kernel's task flags (PF_...).</summary>
    public required ulong Flags { get; init; }

    /// <summary>User time in clock ticks; of a process, all tasks' together.</summary>
    public required ulong UserTimeTicks { get; init; }

    /// <summary>System time in clock ticks; of a process, all tasks' together.</summary>
    public required ulong SystemTimeTicks { get; init; }

    /// <summary>User time of waited-for children in clock ticks.</summary>
    public required long ChildrenUserTimeTicks { get; init; }

    /// <summary>System time of waited-for children in clock ticks.</summary>
    public required long ChildrenSystemTimeTicks { get; init; }

    /// <summary>Priority as the scheduler prints it.</summary>
    public required long Priority { get; init; }

    /// <summary>Nice value, -20 to 19.</summary>
    public required long Nice { get; init; }

    /// <summary>Number of tasks of the process.</summary>
    public required int ThreadCount { get; init; }

    /// <summary>Start in clock ticks since boot.</summary>
    public required ulong StartTimeTicks { get; init; }

    /// <summary>Size of the address space in bytes.</summary>
    public required ulong VirtualBytes { get; init; }

    /// <summary>Resident pages; may lag behind.</summary>
    public required long ResidentPages { get; init; }

    /// <summary>Where the stack began; 0 without permission to trace.</summary>
    public required ulong StackStart { get; init; }

    /// <summary>Signal sent to the parent at exit.</summary>
    public required int ExitSignal { get; init; }

    /// <summary>CPU it ran on last.</summary>
    public required int Processor { get; init; }

    /// <summary>Real-time priority, 1 to 99, or 0.</summary>
    public required uint RealTimePriority { get; init; }

    /// <summary>Scheduling policy (SCHED_...).</summary>
    public required uint Policy { get; init; }

    /// <summary>Where the arguments begin; 0 without permission to trace.</summary>
    public required ulong ArgumentStart { get; init; }

    /// <summary>Where the arguments end; 0 without permission to trace.</summary>
    public required ulong ArgumentEnd { get; init; }

    /// <summary>Where the environment begins; 0 without permission to trace.</summary>
    public required ulong EnvironmentStart { get; init; }

    /// <summary>Where the environment ends; the auxiliary vector lies below <see cref="ArgumentStart"/>.</summary>
    public required ulong EnvironmentEnd { get; init; }

    /// <summary>Name as text; bytes that are not UTF-8 are U+FFFD.</summary>
    public string Name => ProcfsText.Decode(NameBytes.Span);

    /// <summary>Whether it is a thread of the kernel. An empty command line is not enough: a process can make its own empty.</summary>
    public bool IsKernelThread => (Flags & KernelThreadFlag) != 0;

    /// <summary>Whether it has exited and waits to be reaped, or is on its way out.</summary>
    public bool IsZombie => State is 'Z' or 'X' or 'x';

    /// <summary>Whether it is on its way out (PF_EXITING); a zombie is, too.</summary>
    public bool IsExiting => (Flags & ExitingFlag) != 0;

    /// <summary>Parses the file. The name ends at the last ')': it may hold blanks, parentheses and newlines.</summary>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, or cut off before field 51.</exception>
    public static TaskStat Parse(ReadOnlySpan<byte> text)
    {
        int open = text.IndexOf((byte)'(');
        int close = text.LastIndexOf((byte)')');
        if (open < 2 || close < open || text[open - 1] != ' ' || text[^1] != '\n')
        {
            throw new ProcfsFormatException("stat has no name in parentheses, or was cut off");
        }

        var head = new FieldReader(text[..(open - 1)]);
        int tid = head.TakeInt32();
        if (!head.AtEnd || tid <= 0)
        {
            throw new ProcfsFormatException("stat does not begin with a task id");
        }

        return ParseFields(tid, text[(open + 1)..close].ToArray(), text[(close + 1)..^1]);
    }

    private static TaskStat ParseFields(int tid, byte[] name, ReadOnlySpan<byte> text)
    {
        var numbers = new Numbers(text, out char state);
        return new TaskStat
        {
            Tid = tid,
            NameBytes = name,
            State = state,
            ParentPid = numbers.Int32(4),
            ProcessGroup = numbers.Int32(5),
            Session = numbers.Int32(6),
            Flags = numbers.Unsigned(9),
            UserTimeTicks = numbers.Unsigned(14),
            SystemTimeTicks = numbers.Unsigned(15),
            ChildrenUserTimeTicks = numbers.Signed(16),
            ChildrenSystemTimeTicks = numbers.Signed(17),
            Priority = numbers.Signed(18),
            Nice = numbers.Signed(19),
            ThreadCount = numbers.Int32(20),
            StartTimeTicks = numbers.Unsigned(22),
            VirtualBytes = numbers.Unsigned(23),
            ResidentPages = numbers.Signed(24),
            StackStart = numbers.Unsigned(28),
            ExitSignal = numbers.Int32(38),
            Processor = numbers.Int32(39),
            RealTimePriority = numbers.UInt32(40),
            Policy = numbers.UInt32(41),
            ArgumentStart = numbers.Unsigned(48),
            ArgumentEnd = numbers.Unsigned(49),
            EnvironmentStart = numbers.Unsigned(50),
            EnvironmentEnd = numbers.Unsigned(51),
        };
    }

    /// <summary>Fields by their number in the man page, in ascending order.</summary>
    private ref struct Numbers
    {
        private FieldReader _fields;
        private int _next = 4;

        internal Numbers(ReadOnlySpan<byte> text, out char state)
        {
            _fields = new FieldReader(text);
            _fields.Expect((byte)' ');
            state = (char)_fields.TakeByte();
            if (!char.IsAsciiLetter(state))
            {
                throw new ProcfsFormatException("stat has no state letter");
            }
        }

        internal int Int32(int field) => MoveTo(field).TakeInt32();

        internal uint UInt32(int field) => MoveTo(field).TakeUInt32();

        internal long Signed(int field) => MoveTo(field).TakeSigned();

        internal ulong Unsigned(int field) => MoveTo(field).TakeDecimal();

        private FieldReader MoveTo(int field)
        {
            for (; _next < field; _next++)
            {
                _fields.TakeWord();
            }

            var word = new FieldReader(_fields.TakeWord());
            _next++;
            return word;
        }
    }
}
