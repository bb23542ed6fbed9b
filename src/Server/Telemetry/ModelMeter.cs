using System.Diagnostics.Metrics;
using Serving.Server.Models;

namespace Serving.Server.Telemetry;

/// <summary>What is read off the catalog at each scrape: states, sizes, what loading took.</summary>
internal static class ModelMeter
{
    private static readonly ModelState[] States = Enum.GetValues<ModelState>();

    public static void Create(IMeterFactory meters, ModelCatalog catalog)
    {
        Meter own = meters.Create(ServingMeters.Requests);
        own.CreateObservableGauge("serving.model.bytes", () => Loaded(catalog, facts => facts.Bytes), "By", "Weights and table of a loaded model.");
        own.CreateObservableGauge("serving.weights.shared.bytes", () => SharedBytes(catalog), "By",
            "Bytes that are not held because models share tables and weights.");
        own.CreateObservableGauge("serving.model.load.duration", () => LoadTimes(catalog), "s", "What each phase of a model's last loading took.");
        own.CreateObservableGauge("serving.model.state", () => StatesOf(catalog), null, "1 for the state that a model is in, 0 for the others.");
    }

    private static IEnumerable<Measurement<long>> Loaded(ModelCatalog catalog, Func<ModelFacts, long> value) =>
        Models(catalog).Select(model => new Measurement<long>(value(model.Facts), Name(model.Label)));

    private static long SharedBytes(ModelCatalog catalog)
    {
        ModelFacts[] all = [.. Models(catalog).Select(model => model.Facts)];
        return all.Sum(facts => facts.Bytes) - all.SelectMany(facts => facts.Pieces).Distinct().Sum(piece => piece.Bytes);
    }

    private static IEnumerable<Measurement<double>> LoadTimes(ModelCatalog catalog) => catalog.Entries.SelectMany(entry =>
        entry.Progress.Times.Select(phase => new Measurement<double>(phase.Value, Name(entry.Id), new("phase", phase.Key))));

    private static IEnumerable<Measurement<int>> StatesOf(ModelCatalog catalog) => catalog.Entries.SelectMany(entry => States.Select(state =>
        new Measurement<int>(entry.State == state ? 1 : 0, Name(entry.Id), new("state", ModelsEndpoints.NameOf(state)))));

    private static IEnumerable<ServedModel> Models(ModelCatalog catalog) => catalog.Entries.Select(entry => entry.Model).OfType<ServedModel>();

    private static KeyValuePair<string, object?> Name(string label) => new("model_name", label);
}
