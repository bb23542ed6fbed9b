// Compare: one prompt, several models, the same seed; and one text under several models.
import { el, fill, field, choice, alertBox, percent, number, visible } from "./dom.js";
import { complete, compare as ask, get, tokenIds } from "./api.js";
import { tokenRun, tokensOf, topBars } from "./tokens.js";
import { entropy, divergence } from "./mix.js";
import { castOf, record, mixed } from "./record.js";
import { write } from "./state.js";
import { legend } from "./play.js";

const MOST = 4;

export function compare(root, params, known) {
  const ids = known.map(model => model.id);
  let chosen = params.getAll("model").slice(0, MOST);
  if (chosen.length < 2) chosen = ids.slice(0, Math.min(3, Math.max(ids.length, 2)));
  const error = alertBox(), textError = alertBox();
  const prompt = el("textarea", { rows: 3, spellcheck: "false", value: params.get("prompt") ?? "It was the best of", on: { input: save } });
  const settings = {
    max_tokens: el("input", { type: "number", min: 1, max: 400, value: params.get("max_tokens") ?? 48, on: { input: save } }),
    temperature: el("input", { type: "number", min: 0, max: 2, step: 0.05, value: params.get("temperature") ?? 0.7, on: { input: save } }),
    seed: el("input", { type: "number", value: params.get("seed") ?? 1, on: { input: save } }),
  };
  const columns = el("div", { class: "columns compare" });
  const figures = el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Figures of each model" });
  const go = el("button", { type: "button", class: "primary", on: { click: run } }, "Write side by side");
  const halt = el("button", { type: "button", disabled: true, on: { click: () => running?.abort() } }, "Stop");
  const more = el("button", { type: "button", class: "quiet", on: { click: () => { chosen.push(ids[chosen.length % ids.length]); layOut(); } } }, "Add a column");
  const fewer = el("button", { type: "button", class: "quiet", on: { click: () => { chosen.pop(); layOut(); } } }, "Remove the last");
  const text = el("textarea", { rows: 3, spellcheck: "false", value: params.get("text") ?? "The old man was sitting by the fire. Старик сидел у огня.", on: { input: save } });
  const score = el("button", { type: "button", class: "primary", on: { click: scoreText } }, "Score the text");
  const scores = el("div", { class: "scores" });
  let running = null, boxes = [];

  root.append(
    el("h1", {}, "Compare"),
    el("section", {},
      el("form", { class: "controls wide", on: { submit: event => event.preventDefault(), keydown: keys } },
        field("Prompt", prompt),
        el("div", { class: "grid" }, field("Tokens", settings.max_tokens), field("Temperature", settings.temperature), field("Seed, the same for all", settings.seed)),
        el("div", { class: "row" }, go, halt, more, fewer, legend())),
      error.box, columns, figures),
    el("section", {},
      el("h2", {}, "How likely is a text?"),
      el("p", { class: "muted" }, "Each bar is a token: the higher, the more surprised the model was. The first token is conditioned on nothing and has no bar."),
      el("form", { class: "controls wide", on: { submit: event => event.preventDefault() } }, field("Text", text), el("div", { class: "row" }, score)),
      textError.box, scores));
  layOut();

  function save() {
    write("compare", { model: chosen, prompt: prompt.value, ...Object.fromEntries(Object.entries(settings).map(([name, input]) => [name, input.value])), text: text.value });
  }

  function layOut() {
    more.disabled = chosen.length >= MOST;
    fewer.disabled = chosen.length <= 2;
    boxes = chosen.map((model, i) => {
      const inspector = el("div", { class: "peek" }, el("p", { class: "muted" }, "Point at a token to see what else could have stood there.")), status = el("p", { class: "muted", role: "status" });
      const run = tokenRun(`What ${model} writes`, token => fill(inspector, el("p", { class: "muted" }, visible(token.text), " ", percent(Math.exp(token.logprob))), topBars(token.top.slice(0, 5), token.text)));
      const select = choice([...new Set([model, ...ids])], model, value => { chosen[i] = value; layOut(); });
      return { model, run, status, inspector, element: el("section", { class: "card" }, field(`Model ${i + 1}`, select), el("div", { class: "page" }, run.list), status, inspector) };
    });
    fill(columns, boxes.map(box => box.element));
    fill(figures);
    save();
  }

  function keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    if (event.key === "Escape") running?.abort();
  }

  async function run() {
    running?.abort();
    const mine = running = new AbortController();
    error.clear();
    fill(figures);
    halt.disabled = false;
    try {
      const results = await Promise.all(boxes.map(box => follow(box, mine)));
      const parting = firstDivergence(results.map(result => result.tokens));
      boxes.forEach((box, i) => mark(box, results[i], parting));
      await tell(results, parting, mine.signal);
    } catch (fault) {
      mine.abort();
      if (fault.name !== "AbortError") error.show(fault);
    } finally {
      if (running === mine) { running = null; halt.disabled = true; }
    }
  }

  async function follow(box, mine) {
    box.run.clear();
    const begun = performance.now(), tokens = [];
    let first = null, written = "";
    const body = { model: box.model, prompt: prompt.value, logprobs: 10 };
    for (const [name, input] of Object.entries(settings)) if (input.value !== "") body[name] = Number(input.value);
    for await (const chunk of complete(body, mine.signal)) {
      const [piece] = chunk.choices;
      written += piece?.text ?? "";
      for (const token of piece?.logprobs ? tokensOf(piece.logprobs) : []) {
        first ??= performance.now() - begun;
        tokens.push({ ...token, element: box.run.add(token) });
      }
      box.status.textContent = `${tokens.length} tokens`;
    }
    const total = performance.now() - begun;
    return { model: box.model, tokens, text: written, first, total };
  }

  function mark(box, { tokens }, parting) {
    if (parting === null || !tokens[parting]) return;
    tokens[parting].element.classList.add("parting");
    tokens[parting].element.title = "From here on not all models agree.";
  }

  /** Probability, entropy, distance and time of each. Entropy and distance are of whole distributions, recorded afterwards. */
  async function tell(results, parting, signal) {
    const distances = await wholeDistributions(results, signal).catch(fault => { if (signal.aborted) throw fault; error.show(fault); return []; });
    const mean = values => values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;
    const rows = [
      ["Mean probability", results.map(result => percent(mean(result.tokens.map(token => Math.exp(token.logprob)))))],
      ["Entropy, nats a token", results.map((_, i) => number(mean(distances[i]?.entropies ?? []), 3))],
      [`KL from ${results[0].model}, nats a token`, results.map((_, i) => i === 0 ? "–" : number(mean(distances[i]?.kls ?? []), 3))],
      ["First token", results.map(result => `${number(result.first ?? NaN, 0)} ms`)],
      ["Whole answer", results.map(result => `${number(result.total, 0)} ms`)],
    ];
    fill(figures,
      el("p", { class: "verdict" }, parting === null ? "All wrote the same." : `They part at token ${parting + 1}.`),
      el("table", {}, el("caption", { class: "hidden" }, "Figures of each model"),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, ""), results.map(result => el("th", { scope: "col" }, result.model)))),
        el("tbody", {}, rows.map(([name, values]) => el("tr", {}, el("th", { scope: "row" }, name), values.map(value => el("td", {}, value)))))));
  }

  async function wholeDistributions(results, signal) {
    const ensembles = await get("/v1/ensembles", signal).then(list => list.data, () => []);
    const casts = await Promise.all(results.map(result => castOf(result.model, known, ensembles)));
    const tokenizerOf = cast => known.find(model => model.id === cast.members[0].model)?.tokenizer_fingerprint;
    return Promise.all(results.map(async (result, i) => {
      const cast = casts[i], first = casts[0];
      const before = await tokenIds(cast.members[0].model, prompt.value, signal);
      const all = await tokenIds(cast.members[0].model, prompt.value + result.text, signal);
      const last = Math.min(all.length - before.length, 200);
      if (last < 1) return { entropies: [], kls: [] };
      const rowsOf = c => record(c.members.map(member => member.model), all, last, signal);
      const own = await rowsOf(cast), others = tokenizerOf(cast) === tokenizerOf(first) ? await rowsOf(first) : null;
      const positions = Array.from({ length: last }, (_, position) => position);
      return {
        entropies: positions.map(position => entropy(mixed(cast, own, position))),
        kls: others ? positions.map(position => divergence(mixed(cast, own, position), mixed(first, others, position))) : [],
      };
    }));
  }

  async function scoreText() {
    textError.clear();
    score.disabled = true;
    try {
      const distinct = [...new Set(chosen)];
      const answer = await ask({ models: distinct, text: text.value });
      const worst = Math.max(1, ...answer.models.flatMap(each => each.token_logprobs).filter(value => value !== null).map(value => -value));
      fill(scores, el("p", { class: "muted" }, `The full height is ${number(worst, 1)} nats.`), answer.models.map(model => el("section", { class: "score" },
        el("h3", {}, model.model),
        el("p", { class: "muted" }, `${number(model.bits_per_character, 3)} bits per character · perplexity ${number(model.perplexity, 2)} · ${number(model.log_probability, 2)} nats`),
        el("div", { class: "score-bars", tabindex: 0, role: "list", "aria-label": `Surprise of ${model.model} at each token` }, model.tokens.map((token, i) => bar(token, model.token_logprobs[i], worst))))),
        answer.pairs?.length ? el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Distances of the models" }, pairsTable(answer.pairs)) : null);
    } catch (fault) {
      textError.show(fault);
    } finally {
      score.disabled = false;
    }
  }

  const bar = (token, logprob, worst) => el("span", { class: "score-token", role: "listitem", "data-logprob": logprob ?? "", title: logprob === null ? "not counted" : `${percent(Math.exp(logprob))}, ${number(logprob, 3)} nats` },
    el("i", { style: { "--h": logprob === null ? 0 : (-logprob / worst).toFixed(4) } }), el("span", {}, visible(token)));

  const pairsTable = pairs => el("table", {}, el("caption", {}, "Distances of whole distributions, mean over the text"),
    el("thead", {}, el("tr", {}, ["Models", "KL, nats", "JS, nats", "same first choice"].map(name => el("th", { scope: "col" }, name)))),
    el("tbody", {}, pairs.map(pair => el("tr", {}, el("th", { scope: "row" }, `${pair.a}, ${pair.b}`), el("td", {}, number(pair.kl, 3)), el("td", {}, number(pair.js, 3)), el("td", {}, percent(pair.same_argmax))))));

  return { end() { running?.abort(); } };
}

/** The first place at which not all agree; null when all are the same. */
function firstDivergence(runs) {
  const length = Math.max(...runs.map(run => run.length));
  for (let i = 0; i < length; i++) if (runs.some(run => run[i]?.text !== runs[0][i]?.text)) return i;
  return null;
}
