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
  let last = null, timer = null, ended = false, hasMetrics = true;

  root.append(el("h1", {}, "Server"), health, load, memory, el("section", {}, el("h2", {}, "Models"), list));
  show(known);
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
    push(history.running, sum(text, "vllm:num_requests_running"));
    push(history.waiting, sum(text, "vllm:num_requests_waiting"));
    push(history.speed, speed);
    paint();
  }

  function paint() {
    if (history.speed.length === 0) return;
    fill(load,
      panel("Throughput", `${number(history.speed.at(-1), 0)} tokens/s`, history.speed, 1),
      panel("Running", `${history.running.at(-1)} requests`, history.running, 4),
      panel("Queue", `${history.waiting.at(-1)} waiting`, history.waiting, 4));
  }

  const panel = (title, value, values, least) => el("section", { class: "card" }, el("h2", {}, title), el("p", { class: "figure" }, value),
    curve([...Array(KEPT - values.length).fill(0), ...values], `${title} in the last two minutes`, { max: Math.max(least, ...values) }));

  function show(all) {
    const single = all.filter(model => model.kind !== "ensemble");
    // What all models on one table share is at least that table.
    const tables = new Map();
    for (const { embedding_fingerprint: name, shared_bytes: size } of single) if (size) tables.set(name, Math.min(tables.get(name) ?? size, size));
    const tableOf = model => model.shared_bytes ? tables.get(model.embedding_fingerprint) : 0;
    const shared = [...tables.values()].reduce((sum, size) => sum + size, 0);
    const parts = [...single.map(model => ({ name: model.id, size: (model.bytes ?? 0) - tableOf(model) })), { name: "shared table", size: shared, isShared: true }].filter(part => part.size > 0);
    const total = parts.reduce((sum, part) => sum + part.size, 0), apart = single.reduce((sum, model) => sum + (model.bytes ?? 0), 0);
    fill(memory,
      el("h2", {}, "Memory of the weights"),
      el("div", { class: "stack", role: "img", "aria-label": parts.map(part => `${part.name} ${bytes(part.size)}`).join(", ") },
        parts.map(part => el("i", { class: part.isShared ? "shared" : null, style: { "--share": (part.size / total).toFixed(4) } }))),
      el("ul", { class: "keys" }, parts.map(part => el("li", { class: part.isShared ? "shared" : null }, `${part.name} ${bytes(part.size)}`))),
      el("p", { class: "muted" }, `${bytes(total)} in all; ${bytes(apart - total)} are saved because models that stand on one table hold it once.`));
    fill(list, el("table", {},
      el("caption", { class: "hidden" }, "Models and ensembles"),
      el("thead", {}, el("tr", {}, ["Model", "Kind", "State", "Parameters", "Context", "Vocabulary", "Numbers", "Bytes", "of these shared"].map(name => el("th", { scope: "col" }, name)))),
      el("tbody", {}, all.map(model => el("tr", {},
        el("th", { scope: "row" }, model.id), el("td", {}, model.experts ? model.experts.join(", ") : model.kind), el("td", {}, model.error ? `${model.state}: ${model.error}` : model.state),
        el("td", {}, count(model.parameters)), el("td", {}, count(model.max_model_len)), el("td", {}, count(model.vocab_size)), el("td", {}, model.dtype ?? "–"), el("td", {}, bytes(model.bytes)), el("td", {}, bytes(model.shared_bytes)))))));
  }

  return { end() { ended = true; clearTimeout(timer); }, repaint: paint };
}

const push = (values, value) => { values.push(value); if (values.length > KEPT) values.shift(); };

/** The sum of a metric over all its labels, from Prometheus text. */
function sum(text, name) {
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)`, "gm"));
  return [...lines].reduce((total, [, value]) => total + Number(value), 0);
}
