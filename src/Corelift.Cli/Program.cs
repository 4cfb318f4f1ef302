using System.Runtime.InteropServices;
using Corelift.Cli;

OwnPriority.GiveWay();
using CancellationTokenSource interrupted = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Interrupt);
return await CommandLine.RunAsync(args, CliConsole.OfProcess(), interrupted.Token);

// The first signal cancels and cleans up; the second one ends the program as if nobody had caught it.
void Interrupt(PosixSignalContext context)
{
    context.Cancel = !interrupted.IsCancellationRequested;
    interrupted.Cancel();
}
