using System.Globalization;
using YamlDotNet.RepresentationModel;

namespace Serving.Server.Tests.Deployment;

/// <summary>A Kubernetes object, read by paths such as <c>spec.template.spec</c>; a list's elements have numbers.</summary>
internal sealed record Manifest(YamlNode Node)
{
    public string Kind => Text("kind");

    public string Name => Text("metadata.name");

    /// <summary>All objects of a file.</summary>
    public static IReadOnlyList<Manifest> Load(string path)
    {
        var stream = new YamlStream();
        using StreamReader reader = File.OpenText(path);
        stream.Load(reader);
        return [.. stream.Documents.Select(document => new Manifest(document.RootNode))];
    }

    /// <summary>What is at a path; null when there is nothing.</summary>
    public Manifest? Find(string path)
    {
        YamlNode? node = Node;
        foreach (string step in path.Split('.'))
        {
            node = node switch
            {
                YamlMappingNode map => map.Children.TryGetValue(new YamlScalarNode(step.Replace('~', '.')), out YamlNode? child) ? child : null,
                YamlSequenceNode list when int.TryParse(step, out int index) && index < list.Children.Count => list.Children[index],
                _ => null,
            };
        }
        return node is null ? null : new Manifest(node);
    }

    /// <summary>The scalar at a path.</summary>
    public string Text(string path) => Find(path)?.Node is YamlScalarNode { Value: { } value }
        ? value
        : throw new Xunit.Sdk.XunitException($"{(path == "kind" ? "an object" : $"{Kind}")} has no {path}");

    public int Number(string path) => int.Parse(Text(path), CultureInfo.InvariantCulture);

    /// <summary>The elements of a list; none when there is no list.</summary>
    public IEnumerable<Manifest> List(string path) =>
        (Find(path)?.Node as YamlSequenceNode)?.Children.Select(child => new Manifest(child)) ?? [];

    /// <summary>The keys of a map.</summary>
    public IEnumerable<string> Keys(string path) =>
        (Find(path)?.Node as YamlMappingNode)?.Children.Keys.Select(key => ((YamlScalarNode)key).Value!) ?? [];

    /// <summary>Every scalar below.</summary>
    public IEnumerable<string> Scalars() => Node.AllNodes.OfType<YamlScalarNode>().Select(scalar => scalar.Value ?? "");

    public override string ToString() => Find("kind") is null ? Node.ToString() : $"{Kind} {Name}";
}
