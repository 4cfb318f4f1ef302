using System.CommandLine;
using System.Globalization;
using Corelift.Agent.Configuration;
using Corelift.Capture.Supervision;
using Corelift.Linux;
using Corelift.Linux.Processes;

namespace Corelift.Agent.Hosting;

/// <summary>The process that keeps the capabilities: in front of "serve" on a plain host, by itself beside a front end's container.</summary>
internal static class SupervisorCommand
{
    private const string UsualPath = "/run/corelift/supervisor.sock";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20); // beyond its own for captures that are under way

    /// <summary>"corelift-agent supervisor": serves front ends that other containers or units start.</summary>
    internal static Command Build(Func<ParseResult, SettingValues> read)
    {
        var command = new Command("supervisor", "Hold the two capabilities for a front end that runs without any, in a container or unit of its own (serve --supervisor)");
        command.SetAction(result => Reporting(result, () =>
        {
            SettingValues values = read(result);
            uint uid = ParseUid(values.Get(AgentSettings.FrontEndUid));
            IReadOnlyList<string?> listen = values.GetAll(AgentSettings.Listen);
            if (listen.Count > 1)
            {
                throw new StartRefusedException("a supervisor serves on one socket: give --listen unix:PATH once");
            }

            string path = listen.Count == 0 ? UsualPath : SupervisorLink.ParsePath(listen[0]!);
            StartChecks.RequireCapabilities(CapabilitySet.OfThisProcess());

            // The socket's directory is the front end's as well: no place for what is done to targets at the next start.
            AgentOptions options = AgentCommand.Read(values) with { StateDirectory = values.Get(AgentSettings.StateDirectory) };
            SupervisorProgram.RunListening(ToSupervisor(options), path, uid, line =>
            {
                result.InvocationConfiguration.Output.WriteLine(line);
                result.InvocationConfiguration.Output.Flush();
            });
            return ExitCodes.Ok;
        }));
        return command;
    }

    /// <summary>"corelift-agent [serve]": this process becomes the supervisor, and a child of it without capabilities the front end.</summary>
    internal static int ServeWithFrontEnd(AgentOptions options, IReadOnlyList<string> arguments)
    {
        StartChecks.RequireCapabilities(CapabilitySet.OfThisProcess());
        try
        {
            return SupervisorProgram.RunWithFrontEnd(ToSupervisor(options), ["--supervisor", SupervisorLink.Inherited, .. arguments]);
        }
        catch (SyscallException failure)
        {
            throw new StartRefusedException($"cannot start the front end ({failure.Message})");
        }
    }

    private static uint ParseUid(string? text) =>
        text is null ? throw new StartRefusedException("cannot tell who may be the front end: name its user with --front-end-uid UID")
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint uid) ? uid
        : throw new StartRefusedException($"--front-end-uid: '{text}' is no number of a user");

    private static int Reporting(ParseResult result, Func<int> run)
    {
        try
        {
            return run();
        }
        catch (StartRefusedException refusal)
        {
            result.InvocationConfiguration.Error.WriteLine("corelift-agent: " + refusal.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            result.InvocationConfiguration.Error.WriteLine(
                $"corelift-agent: cannot serve front ends ({failure.Message}): is the directory of --listen there, may this user write to it, and does no other supervisor serve there?");
        }

        return ExitCodes.Configuration;
    }

    internal static SupervisorOptions ToSupervisor(AgentOptions options) => new()
    {
        Version = AgentVersion.Text,
        StateDirectory = options.StateDirectory,
        FrontEndPatience = options.StopGrace + s_patience,
        Limits = new SupervisorLimits
        {
            MaxStopBudget = options.MaxStopBudget,
            MaxHold = options.MaxHold,
            MaxWorkers = SupervisorLimits.WorkersFor(options.MaxCaptures),
        },
    };
}
