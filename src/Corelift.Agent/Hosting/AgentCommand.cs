using System.CommandLine;
using Corelift.Agent.Checking;
using Corelift.Agent.Configuration;
using Corelift.Agent.Kubernetes;
using Corelift.Agent.Telemetry;
using Corelift.Capture.Supervision;

namespace Corelift.Agent.Hosting;

/// <summary>The command line of the agent. What can be set stands in <see cref="AgentSettings"/>.</summary>
internal static class AgentCommand
{
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

    /// <summary>The options of a parsed command line, this process's environment and the file that one of them names.</summary>
    /// <exception cref="StartRefusedException">Something is wrong with them.</exception>
    internal static AgentOptions Read(ParseResult result) => Read(ReadValues(result));

    /// <summary>The options that values mean.</summary>
    /// <exception cref="StartRefusedException">An address cannot be listened on, or values do not go together.</exception>
    internal static AgentOptions Read(SettingValues values)
    {
        IReadOnlyList<string?> listen = values.GetAll(AgentSettings.Listen) is { Count: > 0 } given ? given : [DefaultAddress()];
        ListenAddress[] addresses = [.. listen.Select(text => ListenAddress.Parse(text!)).Distinct()];
        return new AgentOptions
        {
            Listen = addresses,
            SocketGroup = values.Get(AgentSettings.SocketGroup),
            SocketMode = DoorSettings.ReadMode(values),
            Tls = DoorSettings.ReadTls(values, addresses),
            Oidc = DoorSettings.ReadOidc(values),
            Doors = DoorSettings.ReadRules(values),
            SpoolBytes = values.Get(AgentSettings.SpoolBytes),
            SpoolDirectory = values.Get(AgentSettings.SpoolDirectory),
            StateDirectory = values.Get(AgentSettings.StateDirectory) ?? DefaultState(addresses),
            DefaultStopBudget = values.Get(AgentSettings.DefaultStopBudget),
            MaxStopBudget = values.Get(AgentSettings.MaxStopBudget),
            MaxLease = values.Get(AgentSettings.MaxLease),
            MaxHold = values.Get(AgentSettings.MaxHold),
            Policy = values.Get(AgentSettings.Policy),
            AuditLog = values.Get(AgentSettings.AuditLog),
            MaxCaptures = values.Get(AgentSettings.MaxCaptures),
            MaxCaptureTime = values.Get(AgentSettings.MaxCaptureTime),
            Limits = new Capture.TargetLimits
            {
                MaxThreads = values.Get(AgentSettings.MaxThreads),
                MaxVmas = values.Get(AgentSettings.MaxVmas),
                MaxBytes = values.Get(AgentSettings.MaxCaptureBytes) is > 0 and var most ? (ulong)most : ulong.MaxValue,
            },
            Connections = ConnectionLimits.Read(values),
            Nice = values.Get(AgentSettings.Nice),
            SealTo = SealToFile.Read(values.Get(AgentSettings.SealTo)),
            StopGrace = values.Get(AgentSettings.StopGrace),
            Telemetry = new TelemetryOptions
            {
                OtlpEndpoint = values.Get(AgentSettings.OtlpEndpoint) is { } endpoint ? TelemetryOptions.ParseEndpoint(endpoint) : null,
                OtlpProtocol = values.Get(AgentSettings.OtlpProtocol),
                MetricsListen = values.Get(AgentSettings.MetricsListen) is { } metrics ? TelemetryOptions.ParseListen(metrics) : null,
                Variables = TelemetryOptions.ReadVariables(),
            },
            JsonLog = values.Get(AgentSettings.LogFormat) == "json",
            Kubernetes = KubernetesOptions.Read(values),
        };
    }

    /// <summary>The whole command line.</summary>
    internal static RootCommand Build()
    {
        var serve = new Command("serve", "Serve (the default)");
        var root = new RootCommand("Lifts cores out of running processes: the agent of one host. Needs CAP_SYS_PTRACE and CAP_SYS_NICE, and no other capability.")
        {
            serve,
            SupervisorCommand.Build(ReadValues),
            CheckCommand.Create(),
            ConfigurationCommand.Build(ReadValues),
            PolicyCommand.Create(),
        };
        foreach (Option flag in ConfigurationCommand.Flags)
        {
            root.Options.Add(flag);
        }

        root.SetAction(ServeAsync);
        serve.SetAction(ServeAsync);
        return root;
    }

    private static SettingValues ReadValues(ParseResult result) => ConfigurationCommand.Read(result, ConfigurationEnvironment.OfProcess());

    private static async Task<int> ServeAsync(ParseResult result, CancellationToken cancellationToken)
    {
        try
        {
            SettingValues values = ReadValues(result);
            AgentOptions options = Read(values);
            string[] arguments = [.. result.Tokens.Select(token => token.Value)];
            if (values.Get(AgentSettings.Supervisor) is not { } link)
            {
                if (values.Get(AgentSettings.StateDirectory) is { } state && !PlaceChecks.CanWrite(state, out string problem))
                {
                    throw new StartRefusedException(
                        $"the state directory {problem}: make it a directory that the agent's user can write to, or leave --state-directory out");
                }

                return SupervisorCommand.ServeWithFrontEnd(options, arguments);
            }

            using SupervisorConnection supervisor = await SupervisorLink.ConnectAsync(link, arguments, cancellationToken).ConfigureAwait(false);
            return await AgentHost.RunAsync(options, supervisor, cancellationToken).ConfigureAwait(false);
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
}
