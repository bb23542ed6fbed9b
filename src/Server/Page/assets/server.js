// Server: what it holds, what memory is shared, and what it is doing now.
import { el, fill, bytes, count, number } from "./dom.js";
import { models, get, getText } from "./api.js";
import { curve } from "./draw.js";

const INTERVAL_MS = 1000, KEPT = 120;

export function server(root, params, known) {
  const health = el("p", { class: "verdict", role: "status" });
  const memory = el("section", { class: "card" });
  const list = el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Models and ensembles" });
  const load = el("div", { class: "columns" });
  const history = { running: [], waiting: [], speed: [] };
  let last = null, saved = 0, timer = null, ended = false, hasMetrics = true;

  root.append(el("h1", {}, "Server"), health, load, memory, el("section", {}, el("h2", {}, "Models"), list));
  fill(list, modelTable(known));
  tick();

  async function tick() {
    try {
      const [report, text] = await Promise.all([get("/health/ready").catch(fault => ({ status: fault.message })), hasMetrics ? getText("/metrics").catch(fault => { hasMetrics = fault.status !== 404; return null; }) : null]);
      health.textContent = `Status: ${report.status}`;
      observe(text);
      show(await models());
    } catch (fault) {
      health.textContent = fault.message;
    }
    if (!ended) timer = setTimeout(tick, INTERVAL_MS);
  }

  function observe(text) {
    if (text === null && hasMetrics) return;
    if (text === null) return void fill(load, el("p", { class: "muted" }, "This server tells no metrics."));
    const now = performance.now(), generated = sum(text, "vllm:generation_tokens_total");
    const speed = last ? Math.max(0, (generated - last.generated) / ((now - last.now) / 1000)) : 0;
    last = { now, generated };
    saved = sum(text, "serving_weights_shared_bytes");
    push(history.running, sum(text, "vllm:num_requests_running"));
    push(history.waiting, sum(text, "vllm:num_requests_waiting"));
    push(history.speed, speed);
    paint();
  }

  function paint() {
    if (history.speed.length === 0) return;
    fill(load,
      panel("Throughput", `${number(history.speed.at(-1), 0)} tokens/s`, history.speed, 1),
      panel("Running", `${history.running.at(-1)} request${history.running.at(-1) === 1 ? "" : "s"}`, history.running, 4),
      panel("Queue", `${history.waiting.at(-1)} waiting`, history.waiting, 4));
  }

  const panel = (title, value, values, least) => el("section", { class: "card" }, el("h2", {}, title), el("p", { class: "figure" }, value),
    curve([...Array(KEPT - values.length).fill(0), ...values], `${title} in the last two minutes`, { max: Math.max(least, ...values) }));

  function show(all) {
    fill(memory, memoryOf(all.filter(model => model.kind !== "ensemble"), saved));
    fill(list, modelTable(all));
  }

  return { end() { ended = true; clearTimeout(timer); }, repaint: paint };
}

/** What the models hold in memory, each for itself and together. `saved`: bytes that are not there because models share them. */
function memoryOf(models, saved) {
  const apart = models.reduce((total, model) => total + (model.bytes ?? 0), 0), own = model => (model.bytes ?? 0) - (model.shared_bytes ?? 0);
  const alone = models.reduce((total, model) => total + own(model), 0), total = apart - saved;
  const parts = [...models.map(model => ({ name: model.id, size: own(model) })), { name: "shared by several", size: total - alone, isShared: true }].filter(part => part.size > 0);
  return [
    el("h2", {}, "Memory of the weights"),
    el("div", { class: "stack", role: "img", "aria-label": parts.map(part => `${part.name} ${bytes(part.size)}`).join(", ") },
      parts.map(part => el("i", { class: part.isShared ? "shared" : null, style: { "--share": (part.size / total).toFixed(4) } }))),
    el("ul", { class: "keys" }, parts.map(part => el("li", { class: part.isShared ? "shared" : null }, `${part.name} ${bytes(part.size)}`))),
    el("p", { class: "muted" }, `${bytes(total)} in all; ${bytes(saved)} are saved, because tables and layers that several models have in common are held once.`),
  ];
}

const COLUMNS = [
  ["Model", model => model.id], ["Kind", model => model.experts?.join(", ") ?? model.kind], ["State", model => model.error ? `${model.state}: ${model.error}` : model.state],
  ["Parameters", model => count(model.parameters)], ["Context", model => count(model.max_model_len)], ["Vocabulary", model => count(model.vocab_size)],
  ["Stored as", model => model.dtype ?? "–"], ["Bytes", model => bytes(model.bytes)], ["of these shared", model => bytes(model.shared_bytes)],
];

const modelTable = all => el("table", {}, el("caption", { class: "hidden" }, "Models and ensembles"),
  el("thead", {}, el("tr", {}, COLUMNS.map(([name]) => el("th", { scope: "col" }, name)))),
  el("tbody", {}, all.map(model => el("tr", {}, COLUMNS.map(([, value], i) => i === 0 ? el("th", { scope: "row" }, value(model)) : el("td", {}, value(model)))))));

const push = (values, value) => { values.push(value); if (values.length > KEPT) values.shift(); };

/** The sum of a metric over all its labels, from Prometheus text. */
function sum(text, name) {
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)`, "gm"));
  return [...lines].reduce((total, [, value]) => total + Number(value), 0);
}
