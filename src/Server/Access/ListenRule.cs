using System.Net;

namespace Serving.Server.Access;

/// <summary>A server that asks for no key listens to its own machine only, unless it is told otherwise.</summary>
internal static class ListenRule
{
    /// <summary>The addresses of a configuration that other machines reach.</summary>
    public static IEnumerable<string> PublicAddresses(IConfiguration configuration) => Addresses(configuration).Where(address => !IsLoopback(address));

    private static IEnumerable<string> Addresses(IConfiguration configuration)
    {
        IEnumerable<string> urls = Split(configuration["urls"]);
        IEnumerable<string> ports = Split(configuration["http_ports"]).Concat(Split(configuration["https_ports"]))
            .Select(port => $"http://*:{port}");
        IEnumerable<string> endpoints = configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"]).OfType<string>();
        // Kestrel's own endpoints and "urls" replace ports.
        return endpoints.Concat(urls.Any() ? urls : ports);
    }

    private static string[] Split(string? list) =>
        list?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static bool IsLoopback(string address)
    {
        BindingAddress binding = BindingAddress.Parse(address);
        return binding.IsUnixPipe || binding.IsNamedPipe || binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(binding.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));
    }
}
