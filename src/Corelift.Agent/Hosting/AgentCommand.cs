using System.CommandLine;
using System.CommandLine.Parsing;

namespace Corelift.Agent.Hosting;

/// <summary>The command line of the agent.</summary>
internal static class AgentCommand
{
    private const int DefaultStopSeconds = 2;
    private const int MaxStopSeconds = 30;
    private const int MaxLeaseSeconds = 30;
    private const int MaxHoldSeconds = 120;

    private static readonly Option<string[]> s_listen = new("--listen")
    {
        Description = "Where to serve: unix:PATH or http://127.0.0.1:PORT; may be given several times [default: unix:/run/corelift/agent.sock]",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    private static readonly Option<string?> s_socketGroup = Text("--socket-group", "NAME|GID", "Group that may use the Unix sockets, beside root and the agent's own user");
    private static readonly Option<string?> s_spoolDirectory = Text("--spool-directory", "DIR", "Directory for copies that do not fit the memory spool; without it nothing is written to disk");
    private static readonly Option<string?> s_stateDirectory = Text("--state-directory", "DIR", "Directory that remembers captures for the agent after this one [default: the socket's]");
    private static readonly Option<string?> s_sealTo = Text("--seal-to", "FILE", "Public keys of age, one a line: every snapshot is sealed to them, and nothing of a process's memory leaves unsealed");
    private static readonly Option<long> s_spoolBytes = Size("--spool-bytes", "Most memory for what strategy direct copies; 0 for a quarter of what is available");
    private static readonly Option<TimeSpan?> s_defaultStopBudget = Time("--default-stop-budget", "Longest stop where a call names none", DefaultStopSeconds);
    private static readonly Option<TimeSpan?> s_maxStopBudget = Time("--max-stop-budget", "Longest stop that a call can ask for", MaxStopSeconds);
    private static readonly Option<TimeSpan?> s_maxLease = Time("--max-lease", "Longest time between two words of a client that holds a process stopped", MaxLeaseSeconds);
    private static readonly Option<TimeSpan?> s_maxHold = Time("--max-hold", "Longest time that a client can hold a process stopped in all", MaxHoldSeconds);

    private static readonly Option<int> s_maxCaptures = new("--max-captures")
    {
        Description = "Most stops and captures at once",
        HelpName = "N",
        DefaultValueFactory = _ => 32,
        Recursive = true,
    };

    private static readonly Option<int> s_nice = new("--nice")
    {
        Description = "Nice value of the serving process, 0 to 19; stops are made at high priority all the same",
        HelpName = "N",
        DefaultValueFactory = _ => 5,
        Recursive = true,
    };

    private static readonly Option<string> s_logFormat = new("--log-format")
    {
        Description = "Form of the log lines: text or json",
        DefaultValueFactory = _ => "text",
        Recursive = true,
    };

    /// <summary>Runs the agent until it is told to stop.</summary>
    /// <returns>Exit code; see <see cref="ExitCodes"/>.</returns>
    internal static async Task<int> RunAsync(string[] args)
    {
        ParseResult result = Build().Parse(args);

        // The host reacts to SIGTERM and SIGINT itself, and takes the time it needs to resume everybody.
        result.InvocationConfiguration.ProcessTerminationTimeout = null;
        int code = await result.InvokeAsync().ConfigureAwait(false);
        return result.Errors.Count > 0 ? ExitCodes.Usage : code;
    }

    /// <summary>The options of a parsed command line.</summary>
    /// <exception cref="StartRefusedException">An address cannot be listened on.</exception>
    internal static AgentOptions Read(ParseResult result)
    {
        string[] listen = result.GetValue(s_listen) is { Length: > 0 } given ? given : [DefaultAddress()];
        ListenAddress[] addresses = [.. listen.Select(ListenAddress.Parse).Distinct()];
        return new AgentOptions
        {
            Listen = addresses,
            SocketGroup = result.GetValue(s_socketGroup),
            SpoolBytes = result.GetValue(s_spoolBytes),
            SpoolDirectory = result.GetValue(s_spoolDirectory),
            StateDirectory = result.GetValue(s_stateDirectory) ?? DefaultState(addresses),
            DefaultStopBudget = result.GetValue(s_defaultStopBudget) ?? TimeSpan.FromSeconds(DefaultStopSeconds),
            MaxStopBudget = result.GetValue(s_maxStopBudget) ?? TimeSpan.FromSeconds(MaxStopSeconds),
            MaxLease = result.GetValue(s_maxLease) ?? TimeSpan.FromSeconds(MaxLeaseSeconds),
            MaxHold = result.GetValue(s_maxHold) ?? TimeSpan.FromSeconds(MaxHoldSeconds),
            MaxCaptures = result.GetValue(s_maxCaptures),
            Nice = result.GetValue(s_nice),
            SealTo = SealToFile.Read(result.GetValue(s_sealTo)),
            JsonLog = result.GetValue(s_logFormat) == "json",
        };
    }

    /// <summary>The whole command line.</summary>
    internal static RootCommand Build()
    {
        s_logFormat.AcceptOnlyFromAmong("text", "json");
        Bound(s_maxCaptures, 1, 1000);
        Bound(s_nice, 0, 19);
        var serve = new Command("serve", "Serve (the default)");
        var root = new RootCommand("Lifts cores out of running processes: the agent of one host. Needs CAP_SYS_PTRACE and CAP_SYS_NICE, and no other capability.") { serve };
        foreach (Option option in (Option[])
            [
                s_listen, s_socketGroup, s_spoolBytes, s_spoolDirectory, s_stateDirectory, s_defaultStopBudget, s_maxStopBudget, s_maxLease, s_maxHold,
                s_maxCaptures, s_nice, s_sealTo, s_logFormat,
            ])
        {
            root.Options.Add(option);
        }

        root.SetAction(ServeAsync);
        serve.SetAction(ServeAsync);
        return root;
    }

    private static void Bound(Option<int> option, int least, int most)
    {
        option.Validators.Clear();
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, out int value) || value < least || value > most))
            {
                result.AddError($"{option.Name} takes a number from {least} to {most}");
            }
        });
    }

    private static async Task<int> ServeAsync(ParseResult result, CancellationToken cancellationToken)
    {
        try
        {
            return await AgentHost.RunAsync(Read(result), cancellationToken).ConfigureAwait(false);
        }
        catch (StartRefusedException refusal)
        {
            await result.InvocationConfiguration.Error.WriteLineAsync("corelift-agent: " + refusal.Message).ConfigureAwait(false);
            return ExitCodes.Configuration;
        }
    }

    /// <summary>The socket in the runtime directory that systemd made, or in the usual place.</summary>
    private static string DefaultAddress()
    {
        string directory = FirstOf("RUNTIME_DIRECTORY") ?? "/run/corelift";
        return $"unix:{directory}/agent.sock";
    }

    private static string? DefaultState(IReadOnlyList<ListenAddress> addresses) =>
        FirstOf("STATE_DIRECTORY") ?? FirstOf("RUNTIME_DIRECTORY") ?? Path.GetDirectoryName(addresses.FirstOrDefault(address => address.Path is not null)?.Path);

    /// <summary>systemd lists several directories with colons between them.</summary>
    private static string? FirstOf(string variable) =>
        Environment.GetEnvironmentVariable(variable)?.Split(':', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();

    private static Option<string?> Text(string name, string helpName, string description) =>
        new(name) { Description = description, HelpName = helpName, Recursive = true };

    private static Option<TimeSpan?> Time(string name, string description, int defaultSeconds) => new(name)
    {
        Description = $"{description}, such as 500ms or 2s [default: {defaultSeconds}s]",
        HelpName = "TIME",
        Recursive = true,
        CustomParser = ParseTime,
    };

    private static Option<long> Size(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        Recursive = true,
        CustomParser = ParseSize,
    };

    private static TimeSpan? ParseTime(ArgumentResult argument)
    {
        if (!Quantities.TryParseTime(argument.Tokens[^1].Value, out TimeSpan time))
        {
            argument.AddError($"'{argument.Tokens[^1].Value}' is no time: write 500ms, 2s or 1m; at most 24h");
        }

        return time;
    }

    private static long ParseSize(ArgumentResult argument)
    {
        if (!Quantities.TryParseSize(argument.Tokens[^1].Value, out long bytes))
        {
            argument.AddError($"'{argument.Tokens[^1].Value}' is no size: write 64MiB, 2GiB or a number of bytes");
        }

        return bytes;
    }
}
