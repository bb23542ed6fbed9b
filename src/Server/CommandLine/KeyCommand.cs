using System.Buffers.Text;
using System.CommandLine;
using System.Security.Cryptography;
using System.Text;

namespace Serving.Server.CommandLine;

/// <summary>The verb <c>key</c>: makes an API key.</summary>
internal static class KeyCommand
{
    private const int SecretBytes = 32;

    private static readonly Option<string> Name = new("--name")
    {
        Description = "Names the key in the log.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "default",
    };

    private static readonly Option<bool> Admin = new("--admin") { Description = "The key may also load models and define ensembles." };

    public static Command Create()
    {
        var command = new Command("key", """
            Makes an API key: the key on standard output, and on standard error the settings that let it in, which hold only its hash.

            Example:
              key --name alice
            """)
        {
            Name, Admin,
        };
        command.SetAction(parsed => Write(parsed.GetValue(Name)!, parsed.GetValue(Admin)));
        return command;
    }

    private static int Write(string name, bool isAdmin)
    {
        string key = "sk-" + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        Console.Out.WriteLine(key);
        Console.Error.WriteLine($$"""
            In appsettings.json:  "Serving": { "Keys": [ { "Name": "{{name}}", "Sha256": "{{hash}}", "Scope": "{{(isAdmin ? "admin" : "inference")}}" } ] }
            In the environment:   Serving__Keys__0__Name={{name}} Serving__Keys__0__Sha256={{hash}} Serving__Keys__0__Scope={{(isAdmin ? "admin" : "inference")}}
            """);
        return ExitCode.Ok;
    }
}
