// Play: a prompt, its continuation token by token, and the call that made it.
import { el, fill, field, choice, alertBox, percent, number, visible } from "./dom.js";
import { complete, tokenIds } from "./api.js";
import { tokenRun, tokensOf, topBars } from "./tokens.js";
import { write } from "./state.js";
import { snippets } from "./snippets.js";

/** The settings: name in the address and the API, label, default, attributes of the input. */
const SETTINGS = [
  ["max_tokens", "Tokens", 64, { min: 1, max: 4096, step: 1 }],
  ["temperature", "Temperature", 0.8, { min: 0, max: 2, step: 0.05 }],
  ["top_p", "Top p", 1, { min: 0.01, max: 1, step: 0.01 }],
  ["top_k", "Top k (0: all)", 0, { min: 0, step: 1 }],
  ["min_p", "Min p", 0, { min: 0, max: 1, step: 0.01 }],
  ["seed", "Seed", 1, { step: 1 }],
];
const PROMPTS = { "glyph-en": "The old house stood", "glyph-ru": "В начале", "glyph-zh": "话说" };

export function play(root, params, known) {
  const ids = known.map(model => model.id);
  let model = params.get("model") ?? ids[0] ?? "";
  const names = ids.includes(model) || model === "" ? ids : [model, ...ids];
  const error = alertBox();
  const prompt = el("textarea", { rows: 5, spellcheck: "false", value: params.get("prompt") ?? PROMPTS[model] ?? "", on: { input: changed } });
  const models = choice(names, model, value => {
    if (Object.values(PROMPTS).includes(prompt.value)) prompt.value = PROMPTS[value] ?? prompt.value;
    model = value;
    changed();
  });
  const inputs = SETTINGS.map(([name, , standard, limits]) =>
    el("input", { type: "number", name, value: params.get(name) ?? standard, ...limits, on: { input: changed } }));
  const stop = el("input", { type: "text", value: params.get("stop") ?? "", on: { input: changed } });
  const tokenCount = el("span", { class: "muted", "aria-live": "polite" });
  const start = el("button", { type: "button", class: "primary", on: { click: run } }, "Write");
  const halt = el("button", { type: "button", disabled: true, on: { click: () => running?.abort() } }, "Stop");
  const status = el("p", { class: "muted", role: "status" });
  const inspector = el("section", { class: "card inspector", "aria-label": "The token looked at" });
  const output = tokenRun("The answer, token by token", explain);
  const code = el("section", { class: "code" });
  let running = null, counting = null;

  root.append(
    el("h1", {}, "Play"),
    el("div", { class: "split" },
      el("form", { class: "controls", on: { submit: event => event.preventDefault(), keydown: keys } },
        field("Model or ensemble", models),
        field("Prompt", prompt), tokenCount,
        el("div", { class: "grid" }, SETTINGS.map(([, label], i) => field(label, inputs[i]))),
        field("Stop text", stop),
        el("div", { class: "row" }, start, halt, el("small", { class: "muted" }, "Ctrl+Enter writes, Esc stops"))),
      el("div", { class: "stage" },
        error.box,
        el("div", { class: "page" }, el("span", { class: "prompt-echo" }), output.list),
        el("div", { class: "row between" }, status, legend()),
        inspector)),
    code);
  const echo = root.querySelector(".prompt-echo");
  explain(null);
  changed();

  function request() {
    const body = { model, prompt: prompt.value };
    SETTINGS.forEach(([name], i) => { if (inputs[i].value !== "") body[name] = Number(inputs[i].value); });
    if (stop.value) body.stop = stop.value;
    return body;
  }

  function changed() {
    const { model: name, prompt: text, ...settings } = request();
    write("play", { model: name, prompt: text, ...settings });
    fill(code, snippets(request()));
    clearTimeout(counting);
    counting = setTimeout(countTokens, 150);
  }

  async function countTokens() {
    if (!prompt.value || !model) return void (tokenCount.textContent = "0 tokens");
    try {
      const reader = known.find(each => each.id === model)?.experts?.[0] ?? model.split("+")[0];
      const { length: count } = await tokenIds(reader, prompt.value);
      tokenCount.textContent = `${count} token${count === 1 ? "" : "s"}, ${[...prompt.value].length} characters`;
    } catch (fault) {
      tokenCount.textContent = fault.message;
    }
  }

  function keys(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    if (event.key === "Escape") running?.abort();
  }

  async function run() {
    running?.abort();
    const mine = running = new AbortController();
    error.clear();
    output.clear();
    echo.textContent = prompt.value;
    explain(null);
    [halt.disabled, status.textContent] = [false, "Waiting for the first token…"];
    const begun = performance.now();
    let first = null, count = 0, reason = null;
    try {
      for await (const chunk of complete({ ...request(), logprobs: 10 }, mine.signal)) {
        const [piece] = chunk.choices;
        if (!piece) continue;
        reason = piece.finish_reason ?? reason;
        for (const token of piece.logprobs ? tokensOf(piece.logprobs) : []) {
          first ??= performance.now() - begun;
          count++;
          output.add(token);
        }
        status.textContent = `${count} tokens · the first after ${number(first ?? 0, 0)} ms, the last after ${number(performance.now() - begun, 0)} ms`;
      }
      status.textContent += reason === "stop" ? " · the text ended" : " · length reached";
    } catch (fault) {
      if (mine.signal.aborted) status.textContent = `Stopped after ${count} tokens.`;
      else { error.show(fault); status.textContent = ""; }
    } finally {
      if (running === mine) { running = null; halt.disabled = true; }
    }
  }

  function explain(token) {
    if (!token) {
      fill(inspector, el("h2", {}, "Next token"), el("p", { class: "muted" }, "Point at a token, or walk with the arrow keys, to see what else could have stood there."));
      return;
    }
    fill(inspector,
      el("h2", {}, "Instead of ", el("b", { class: "mono" }, visible(token.text))),
      el("p", { class: "muted" }, `It had a probability of ${percent(Math.exp(token.logprob))} (${number(token.logprob, 3)} nats).`),
      topBars(token.top, token.text));
  }

  return { end() { running?.abort(); clearTimeout(counting); } };
}

export const legend = () => el("span", { class: "legend" }, "expected",
  [0, 0.25, 0.5, 0.75, 1].map(level => el("i", { style: { "--surprise": level } })), "surprising");
