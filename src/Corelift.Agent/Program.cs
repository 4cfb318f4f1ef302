using Corelift.Agent.Hosting;
using Corelift.Capture.Worker;

namespace Corelift.Agent;

/// <summary>One program, three entry points: the worker that holds a target, the supervisor that keeps the capabilities, and the front end.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args) =>

        // Before anything else is touched: a worker is started per stop, and must be there in milliseconds.
        args is ["worker", ..] ? Task.FromResult(WorkerProgram.Main()) : AgentCommand.RunAsync(args);
}
