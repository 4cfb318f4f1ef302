using Corelift.Agent.Checking;
using Corelift.Agent.Hosting;
using Corelift.Capture.Worker;

namespace Corelift.Agent;

/// <summary>One program, several entry points: the agent, the worker that holds a target, and a target for 'check' to try itself on.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) =>

        // Before anything else is touched: a worker is started per stop, and must be there in milliseconds.
        args switch
        {
            ["worker", ..] => Task.FromResult(WorkerProgram.Main()),
            [CheckTarget.Command, ..] => Task.FromResult(CheckTarget.Run(args)),
            _ => AgentCommand.RunAsync(args),
        };
}
