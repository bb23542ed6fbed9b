return await Serving.Server.CommandLine.ServingCommandLine.RunAsync(args);
