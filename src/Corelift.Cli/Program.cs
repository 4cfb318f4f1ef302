using Corelift.Cli;

return await CommandLine.RunAsync(args);
