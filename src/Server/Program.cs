// The build starts this program under a host of its own, to describe its endpoints; it does not listen then.
if (System.Reflection.Assembly.GetEntryAssembly()?.GetName().Name == "GetDocument.Insider")
{
    await Serving.Server.Hosting.ServerApplication.Build([]).RunAsync();
    return 0;
}
return await Serving.Server.CommandLine.ServingCommandLine.RunAsync(args);
