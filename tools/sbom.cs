#!/usr/bin/env -S dotnet run
// Writes a CycloneDX 1.6 bill of materials: every package of a lock file with its content hash, every file of a published folder
// with its SHA-256. No date and no serial number, so that equal contents have equal bills.
//
//   dotnet run tools/sbom.cs -- FOLDER packages.lock.json
#:property PublishAot=false
#:property JsonSerializerIsReflectionEnabledByDefault=true
#:property RestorePackagesWithLockFile=false
#:property ManagePackageVersionsCentrally=false
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

if (args is not [string folder, string lockFile])
{
    Console.Error.WriteLine("usage: dotnet run tools/sbom.cs -- FOLDER packages.lock.json");
    return 2;
}

var components = new JsonArray();
JsonObject frameworks = JsonNode.Parse(File.ReadAllText(lockFile))!["dependencies"]!.AsObject();
var packages = frameworks.SelectMany(framework => framework.Value!.AsObject())
    .Where(package => (string?)package.Value!["type"] != "Project")
    .DistinctBy(package => (package.Key, (string)package.Value!["resolved"]!))
    .OrderBy(package => package.Key, StringComparer.OrdinalIgnoreCase);
foreach ((string name, JsonNode? package) in packages)
{
    string version = (string)package!["resolved"]!;
    components.Add(new JsonObject
    {
        ["type"] = "library",
        ["bom-ref"] = $"pkg:nuget/{name}@{version}",
        ["name"] = name,
        ["version"] = version,
        ["purl"] = $"pkg:nuget/{name}@{version}",
        ["hashes"] = Hashes("SHA-512", Convert.ToHexStringLower(Convert.FromBase64String((string)package["contentHash"]!))),
    });
}

foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
{
    string name = Path.GetRelativePath(folder, path);
    if (name.StartsWith("sbom.json", StringComparison.Ordinal))
        continue;
    components.Add(new JsonObject
    {
        ["type"] = "file",
        ["bom-ref"] = $"file:{name}",
        ["name"] = name,
        ["hashes"] = Hashes("SHA-256", Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))),
    });
}

var bill = new JsonObject
{
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.6",
    ["version"] = 1,
    ["metadata"] = new JsonObject { ["component"] = new JsonObject { ["type"] = "application", ["bom-ref"] = "serving", ["name"] = "serving" } },
    ["components"] = components,
};
Console.WriteLine(bill.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
return 0;

static JsonArray Hashes(string algorithm, string content) => [new JsonObject { ["alg"] = algorithm, ["content"] = content }];
