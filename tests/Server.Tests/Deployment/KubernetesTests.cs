using System.Diagnostics;
using System.Text.Json;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Deployment;

/// <summary>The rules that every overlay keeps, checked on what kustomize makes of it.</summary>
public sealed class KubernetesTests(SmallServer small) : IClassFixture<SmallServer>
{
    private const string PodSpec = "spec.template.spec";
    private const string DigestMark = "@sha256:";

    // The host's own time-out for stopping, and a stream's last words.
    private const int LastSeconds = 2 + 5;

    private static readonly string Folder = Path.Combine(TestData.RepositoryRoot, "k8s");

    public static TheoryData<string> Overlays => [.. Directory.EnumerateDirectories(Path.Combine(Folder, "overlays")).Select(path => Path.GetFileName(path))];

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Rendered_IsWhatKustomizeMakes(string overlay)
    {
        using Process? kubectl = TryStart("kubectl", "kustomize", Path.Combine(Folder, "overlays", overlay));
        Assert.SkipWhen(kubectl is null, "kubectl is not installed");
        string fresh = kubectl.StandardOutput.ReadToEnd();
        kubectl.WaitForExit();
        Assert.Equal(0, kubectl.ExitCode);
        Assert.True(File.ReadAllText(RenderedPath(overlay)) == fresh, "Run k8s/render.sh.");
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Objects_AreNamedOnceLabelledAndInOneNamespace(string overlay)
    {
        IReadOnlyList<Manifest> all = Rendered(overlay);
        Assert.Equal(all.Count, all.Select(each => $"{each.Kind} {each.Name}").Distinct().Count());
        foreach (Manifest each in all.Where(each => each.Kind != "Namespace"))
        {
            Assert.Equal("serving", each.Text("metadata.namespace"));
            Assert.Equal("serving", each.Text("metadata.labels.app~kubernetes~io/name"));
        }
        Manifest space = Assert.Single(all, each => each.Kind == "Namespace");
        Assert.Equal("restricted", space.Text("metadata.labels.pod-security~kubernetes~io/enforce"));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Pods_AreRestrictedAndMore(string overlay)
    {
        string[] volumes = ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image"];
        foreach (Manifest deployment in Deployments(overlay))
        {
            Manifest pod = deployment.Find(PodSpec)!;
            Assert.Equal("true", pod.Text("securityContext.runAsNonRoot"));
            Assert.Equal(1654, pod.Number("securityContext.runAsUser"));
            Assert.Equal("RuntimeDefault", pod.Text("securityContext.seccompProfile.type"));
            Assert.Equal("false", pod.Text("automountServiceAccountToken"));
            Assert.All((string[])["hostNetwork", "hostPID", "hostIPC"], key => Assert.Null(pod.Find(key)));
            Assert.All(pod.List("volumes"), volume => Assert.Contains(KeysOf(volume).Single(key => key != "name"), volumes));
            foreach (Manifest container in Containers(pod))
            {
                Assert.Equal("false", container.Text("securityContext.allowPrivilegeEscalation"));
                Assert.Equal("true", container.Text("securityContext.readOnlyRootFilesystem"));
                Assert.Equal("ALL", container.Text("securityContext.capabilities.drop.0"));
                Assert.Contains(DigestMark, container.Text("image"));
                Assert.Equal(container.Text("resources.limits.memory"), container.Text("resources.requests.memory"));
                Assert.NotEmpty(container.Text("resources.requests.cpu"));
            }
            Manifest models = pod.List("containers").Single().List("volumeMounts").Single(mount => mount.Text("name") == "models");
            Assert.Equal("true", models.Text("readOnly"));
            Assert.Contains(pod.List("volumes"), volume => volume.Text("name") == "models");
            Assert.All(pod.List("volumes").Where(volume => volume.Find("image") is not null), volume => Assert.Contains(DigestMark, volume.Text("image.reference")));
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Probes_AreRoutesOfTheServerAndTellLifeFromReadiness(string overlay)
    {
        using JsonDocument document = JsonDocument.Parse(await small.Server.Client.GetStringAsync("/openapi/v1.json"));
        string[] routes = [.. document.RootElement.GetProperty("paths").EnumerateObject().Select(path => path.Name)];
        foreach (Manifest container in Deployments(overlay).Select(deployment => deployment.Find($"{PodSpec}.containers.0")!))
        {
            string[] paths = [.. ((string[])["startupProbe", "livenessProbe", "readinessProbe"]).Select(probe => container.Text($"{probe}.httpGet.path"))];
            Assert.Equal(3, paths.Distinct().Count());
            Assert.All(paths, path => Assert.Contains(path, routes));
            // A model that loads for half an hour is not killed; a dead one is, within half a minute.
            Assert.True(container.Number("startupProbe.periodSeconds") * container.Number("startupProbe.failureThreshold") >= 1800);
            Assert.True(container.Number("livenessProbe.periodSeconds") * container.Number("livenessProbe.failureThreshold") <= 30);
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Drain_FitsIntoTheGracePeriod(string overlay)
    {
        using JsonDocument settings = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "src", "Server", "appsettings.json")));
        int shutdown = settings.RootElement.GetProperty("Serving").GetProperty("ShutdownSeconds").GetInt32();
        foreach (Manifest pod in Deployments(overlay).Select(deployment => deployment.Find(PodSpec)!))
        {
            int preStop = pod.Number("containers.0.lifecycle.preStop.sleep.seconds");
            Assert.True(preStop >= 5);
            Assert.True(pod.Number("terminationGracePeriodSeconds") > preStop + shutdown + LastSeconds);
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Replicas_AreSeveralSpreadAndNeverAllAway(string overlay)
    {
        IReadOnlyList<Manifest> all = Rendered(overlay);
        foreach (Manifest deployment in Deployments(overlay))
        {
            Assert.True(deployment.Number("spec.replicas") >= 2);
            Assert.Equal(0, deployment.Number("spec.strategy.rollingUpdate.maxUnavailable"));
            string[] keys = [.. deployment.List($"{PodSpec}.topologySpreadConstraints").Select(each => each.Text("topologyKey"))];
            Assert.Equal(["kubernetes.io/hostname", "topology.kubernetes.io/zone"], keys);
            Manifest budget = Assert.Single(all, each => each.Kind == "PodDisruptionBudget" && each.Name == deployment.Name);
            Assert.Equal(Selector(deployment, "spec.selector.matchLabels"), Selector(budget, "spec.selector.matchLabels"));
            Assert.Equal(Selector(deployment, "spec.selector.matchLabels"),
                Selector(Assert.Single(all, each => each.Kind == "Service" && each.Name == deployment.Name), "spec.selector"));
            Assert.Contains(all, each => each.Kind == "ServiceAccount" && each.Name == deployment.Text($"{PodSpec}.serviceAccountName")
                && each.Text("automountServiceAccountToken") == "false");
        }
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Network_IsClosedButForWhatIsNamed(string overlay)
    {
        Manifest[] policies = [.. Rendered(overlay).Where(each => each.Kind == "NetworkPolicy")];
        Assert.Contains(policies, policy => !policy.Keys("spec.podSelector").Any() && policy.List("spec.policyTypes").Count() == 2
            && !policy.List("spec.ingress").Any() && !policy.List("spec.egress").Any());
        int[] outward = [.. policies.SelectMany(policy => policy.List("spec.egress")).SelectMany(rule => rule.List("ports")).Select(port => port.Number("port")).Distinct().Order()];
        Assert.Subset(new HashSet<int> { 53, 443, 8081 }, outward.ToHashSet());
        Assert.All(policies.SelectMany(policy => policy.List("spec.egress")), rule =>
            Assert.True(rule.List("to").Any() || rule.Text("ports.0.port") == "443"));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public void Scaling_FollowsTheQueueAndShrinksSlowly(string overlay)
    {
        IReadOnlyList<Manifest> all = Rendered(overlay);
        Manifest scaler = Assert.Single(all, each => each.Kind is "HorizontalPodAutoscaler" or "ScaledObject");
        string place = scaler.Kind == "ScaledObject" ? "spec.advanced.horizontalPodAutoscalerConfig.behavior" : "spec.behavior";
        Assert.True(scaler.Number($"{place}.scaleDown.stabilizationWindowSeconds") >= 300);
        Assert.Contains(scaler.Scalars(), text => text.Replace(':', '_').Contains("vllm_num_requests_waiting", StringComparison.Ordinal));
        Assert.Contains(all, each => each.Kind == "Deployment" && each.Name == scaler.Text("spec.scaleTargetRef.name"));
    }

    [Fact]
    public void Ensemble_EveryRemoteModelHasAHeadlessServiceThatItsExpertAnswers()
    {
        IReadOnlyList<Manifest> all = Rendered("ensemble-distributed");
        Manifest front = Assert.Single(Deployments("ensemble-distributed"), each => each.Text("metadata.labels.app~kubernetes~io/component") == "front");
        string[] remote = [.. Setting(front, "Serving__Remote__Models").Split(',')];
        Assert.Equal(3, remote.Length);
        foreach (string[] pair in remote.Select(each => each.Split('=')))
        {
            var uri = new Uri(pair[1]);
            Manifest service = Assert.Single(all, each => each.Kind == "Service" && each.Name == uri.Host);
            Assert.Equal("None", service.Text("spec.clusterIP"));
            Assert.Equal(uri.Port, service.Number("spec.ports.0.port"));
            Manifest expert = Assert.Single(Deployments("ensemble-distributed"), each => Setting(each, "Serving__Include") == pair[0]);
            Assert.Equal(Selector(expert, "spec.selector.matchLabels"), Selector(service, "spec.selector"));
            Assert.Contains(expert.List($"{PodSpec}.containers.0.ports"), port => port.Text("name") == service.Text("spec.ports.0.targetPort")
                && port.Number("containerPort") == new Uri(Setting(expert, "Serving__Peers__Urls").Replace("*", "host", StringComparison.Ordinal)).Port);
        }
    }

    private static string Setting(Manifest deployment, string name) => deployment.List($"{PodSpec}.containers.0.env")
        .SingleOrDefault(each => each.Text("name") == name)?.Text("value") ?? "";

    private static SortedDictionary<string, string> Selector(Manifest manifest, string path)
    {
        Assert.NotEmpty(manifest.Keys(path));
        return new(manifest.Keys(path).ToDictionary(key => key, key => manifest.Text($"{path}.{key.Replace('.', '~')}")));
    }

    private static IEnumerable<string> KeysOf(Manifest map) => ((YamlDotNet.RepresentationModel.YamlMappingNode)map.Node).Children.Keys.Select(key => key.ToString());

    private static IEnumerable<Manifest> Containers(Manifest pod) => pod.List("containers").Concat(pod.List("initContainers"));

    private static IEnumerable<Manifest> Deployments(string overlay) => Rendered(overlay).Where(each => each.Kind == "Deployment");

    private static IReadOnlyList<Manifest> Rendered(string overlay) => Manifest.Load(RenderedPath(overlay));

    private static string RenderedPath(string overlay) => Path.Combine(Folder, "rendered", $"{overlay}.yaml");

    private static Process? TryStart(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
