using System.Diagnostics.Metrics;
using System.Globalization;
using Serving.Inference.Scheduling;

namespace Serving.Server.Telemetry;

/// <summary>What is read off the engines at each scrape. Between scrapes it costs nothing.</summary>
internal static class EngineMeter
{
    public static void Create(IMeterFactory meters, EngineLedger ledger)
    {
        Meter engines = meters.Create(ServingMeters.Engines);
        Gauge("vllm:num_requests_running", "Requests that hold K/V blocks.", each => each.RunningRequests);
        Gauge("vllm:num_requests_waiting", "Requests in the queue.", each => each.WaitingRequests);
        Gauge("vllm:kv_cache_usage_perc", "The share of the K/V blocks that running requests hold, 0 to 1.",
            each => each.KvBlocksTotal == 0 ? 0 : (double)each.KvBlocksUsed / each.KvBlocksTotal);
        Total("vllm:prompt_tokens_total", "Tokens of the prompts that were started.", each => each.PromptTokens);
        Total("vllm:generation_tokens_total", "Tokens generated.", each => each.GeneratedTokens);
        Total("vllm:prefix_cache_queries_total", "Tokens looked up in the prefix cache.", each => each.PrefixQueryTokens);
        Total("vllm:prefix_cache_hits_total", "Tokens found there.", each => each.PrefixHitTokens);
        Total("vllm:num_preemptions_total", "How often a running request had to give its K/V blocks back.", each => each.Preemptions);
        Total("serving.speculation.drafted_tokens", "Tokens that were guessed ahead and verified.", each => each.DraftedTokens);
        Total("serving.speculation.accepted_tokens", "Guesses that were right.", each => each.AcceptedTokens);
        Total("serving.ensemble.attributed_tokens", "Tokens of ensembles whose experts were asked (expert_logprobs).", each => each.AttributedTokens);
        Total("serving.ensemble.disagreement", "The sum of the experts' Jensen-Shannon divergence on these tokens, in nats.",
            each => each.Disagreement);
        Total("serving.engine.steps", "Forward passes.", each => each.Steps);
        engines.CreateObservableGauge("vllm:cache_config_info", () => Configurations(ledger), null, "Always 1; the labels tell.");

        void Gauge(string name, string help, Func<EngineStatistics, double> value) =>
            engines.CreateObservableGauge(name, () => Read(ledger, value), null, help);

        void Total(string name, string help, Func<EngineStatistics, double> value) =>
            engines.CreateObservableCounter(name, () => Read(ledger, value), null, help);
    }

    private static IEnumerable<Measurement<double>> Read(EngineLedger ledger, Func<EngineStatistics, double> value) =>
        ledger.Read().Select(pair => new Measurement<double>(value(pair.Value), Model(pair.Key)));

    private static IEnumerable<Measurement<int>> Configurations(EngineLedger ledger) =>
        ledger.Working.DistinctBy(model => model.Label).Select(model => new Measurement<int>(1, Model(model.Label),
            new("block_size", Text(model.Kv.BlockTokens)), new("num_gpu_blocks", Text(model.Kv.Blocks))));

    private static KeyValuePair<string, object?> Model(string label) => new("model_name", label);

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
