using Corelift.Agent.Hosting;
using Corelift.Capture.Worker;

namespace Corelift.Agent;

/// <summary>One program, two entry points: the agent, and the worker that holds a target.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) =>

        // Before anything else is touched: a worker is started per stop, and must be there in milliseconds.
        args is ["worker", ..] ? Task.FromResult(WorkerProgram.Main()) : AgentCommand.RunAsync(args);
}
