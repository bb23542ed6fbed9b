// Play: a prompt, its continuation token by token, and the call that made it.
import { el, fill, field, choice, alertBox, percent, number, visible } from "./dom.js";
import { lookup, tokenize } from "./api.js";
import { tokenRun, topBars, legend } from "./tokens.js";
import { follow, writer, keys } from "./writing.js";
import { address, write } from "./state.js";
import { snippets } from "./snippets.js";
import * as draw from "./draw.js";

/** The settings: name in the address and the API, label, default of the page, the API's where leaving it out means the same, attributes. */
const SETTINGS = [
  ["max_tokens", "Tokens", 64, null, { min: 1, max: 4096, step: 1 }],
  ["temperature", "Temperature", 0.8, null, { min: 0, max: 2, step: 0.05 }],
  ["top_p", "Top p", 1, 1, { min: 0.01, max: 1, step: 0.01 }],
  ["top_k", "Top k (0: all)", 0, 0, { min: 0, step: 1 }],
  ["min_p", "Min p", 0, 0, { min: 0, max: 1, step: 0.01 }],
  ["seed", "Seed", 1, null, { step: 1 }],
];
const PROMPTS = { "glyph-en": "The old house stood", "glyph-ru": "В начале", "glyph-zh": "话说" };

/** Pictures below the prompt: more would only take room. */
const MOST_PICTURES = 60;

export function play(root, params, known) {
  const ids = known.map(model => model.id);
  let model = params.get("model") ?? ids[0] ?? "";
  const names = ids.includes(model) || model === "" ? ids : [model, ...ids];
  const error = alertBox();
  const prompt = el("textarea", { rows: 4, spellcheck: "false", value: params.get("prompt") ?? PROMPTS[model] ?? "", on: { input: changed } });
  const models = choice(names, model, value => {
    if (Object.values(PROMPTS).includes(prompt.value)) prompt.value = PROMPTS[value] ?? prompt.value;
    model = value;
    changed();
  });
  const inputs = SETTINGS.map(([name, , standard, , limits]) =>
    el("input", { type: "number", name, value: params.get(name) ?? standard, ...limits, on: { input: changed } }));
  const stopText = el("input", { type: "text", value: params.get("stop") ?? "", on: { input: changed } });
  const tokenCount = el("span", { class: "muted", "aria-live": "polite" });
  const seen = el("a", { class: "seen", title: "The prompt's tokens, drawn: look closer" });
  const stop = el("button", { type: "button", disabled: true, on: { click: () => writing.stop() } }, "Stop");
  const status = el("p", { class: "muted", role: "status" });
  const inspector = el("section", { class: "card inspector", "aria-label": "The token looked at" });
  const output = tokenRun("The answer, token by token", explain), echo = el("span", { class: "prompt-echo" });
  const code = el("section", { class: "code" });
  let counting = null, written = 0;
  const writing = writer({ stop }, fault => {
    if (fault) error.show(fault);
    status.textContent = fault ? "" : `Stopped after ${written} tokens.`;
  });

  root.append(
    el("h1", {}, "Play"),
    el("p", { class: "lead" }, "Give a model the beginning of a text and watch it go on, token by token."),
    el("div", { class: "split" },
      el("form", { class: "controls", on: { submit: event => event.preventDefault(), keydown: keys(run, writing.stop) } },
        field("Model or ensemble", models),
        field("Prompt", prompt), el("div", { class: "counted" }, tokenCount, seen),
        el("div", { class: "row" }, el("button", { type: "button", class: "primary", on: { click: run } }, "Write"), stop, el("small", { class: "muted" }, "Ctrl+Enter writes, Esc stops")),
        el("div", { class: "grid" }, SETTINGS.map(([, label], i) => field(label, inputs[i]))),
        field("Stop text", stopText)),
      el("div", { class: "stage" },
        error.box,
        el("div", { class: "page" }, echo, output.list),
        el("div", { class: "row between" }, status, legend()),
        inspector)),
    code);
  explain(null);
  changed();
  look();

  /** A model that has a table of its own: an ensemble's first member. */
  function readerOf(id) { return known.find(each => each.id === id)?.experts?.[0] ?? id.split(/[+@]/)[0]; }

  function request() {
    const body = { model, prompt: prompt.value };
    SETTINGS.forEach(([name, , , same], i) => { if (inputs[i].value !== "" && Number(inputs[i].value) !== same) body[name] = Number(inputs[i].value); });
    if (stopText.value) body.stop = stopText.value;
    return body;
  }

  function changed() {
    write("play", { model, prompt: prompt.value, ...Object.fromEntries(SETTINGS.map(([name], i) => [name, inputs[i].value])), stop: stopText.value });
    fill(code, snippets(request()));
    if (written === 0) echo.textContent = prompt.value;
    clearTimeout(counting);
    counting = setTimeout(look, 150);
  }

  /** The first tokens of a text; none of a model that has no table to look into. */
  function drawn(text) { return lookup(readerOf(model), beginning(text)).catch(() => ({ data: [] })); }

  /** Counts the prompt's tokens, and draws the first of them. */
  async function look() {
    const text = prompt.value;
    if (!text || !model) return void (tokenCount.textContent = "0 tokens", fill(seen));
    try {
      const [{ count, max_model_len: room }, { data: tokens }] = await Promise.all([tokenize(model, text), drawn(text)]);
      if (text !== prompt.value) return;
      tokenCount.textContent = `${count} of ${room} tokens, ${[...text].length} characters`;
      seen.href = address("glyphs", { model: readerOf(model), text: beginning(text) });
      fill(seen, tokens.slice(0, MOST_PICTURES).map(token => draw.glyph(token.glyph, "")), el("span", {}, count > MOST_PICTURES ? "… look closer" : "look closer"));
    } catch (fault) {
      tokenCount.textContent = fault.message;
      fill(seen);
    }
  }

  function run() {
    return writing.start(async signal => {
      error.clear();
      output.clear();
      explain(null);
      echo.textContent = prompt.value;
      status.textContent = "Waiting for the first token…";
      written = 0;
      let first = null;
      const { reason, ms } = await follow(request(), signal, token => {
        first ??= token.ms;
        written++;
        output.add(token);
        status.textContent = tell(first, token.ms);
      });
      status.textContent = `${tell(first, ms)} · ${reason === "stop" ? "the text ended" : "length reached"}`;
    });
  }

  const tell = (first, last) => `${written} tokens · the first after ${number(first ?? 0, 0)} ms, the last after ${number(last, 0)} ms`;

  function explain(token) {
    if (!token) {
      fill(inspector, el("h2", {}, "Next token"), el("p", { class: "muted" }, "Write something, then point at a token, or walk with the arrow keys, to see what else could have stood there."));
      return;
    }
    fill(inspector,
      el("h2", {}, "Instead of ", el("b", { class: "mono" }, visible(token.text))),
      el("p", { class: "muted" }, `It had a probability of ${percent(Math.exp(token.logprob))} (${number(token.logprob, 3)} nats). `,
        el("a", { href: address("glyphs", { model: readerOf(model), text: `#${token.id}` }) }, "What the model reads in its place")),
      topBars(token.top, token.text));
  }

  return { end() { writing.stop(); clearTimeout(counting); }, repaint: look };
}

/** As much of a text as the pictures show, in whole characters. */
const beginning = text => [...text.toWellFormed()].slice(0, 4 * MOST_PICTURES).join("");
