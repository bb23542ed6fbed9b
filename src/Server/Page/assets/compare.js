// Compare: one prompt, several models, the same seed; and one text under several models.
import { el, fill, field, choice, alertBox, percent, number, visible } from "./dom.js";
import { tokenRun, topBars, legend } from "./tokens.js";
import { follow, writer, keys } from "./writing.js";
import { firstDivergence, measure, summary, tokenTable } from "./figures.js";
import { scoring } from "./scores.js";
import { write } from "./state.js";

const LEAST = 2, MOST = 4;
const SETTINGS = [
  ["max_tokens", "Tokens", 32, { min: 1, max: 400 }],
  ["temperature", "Temperature", 0, { min: 0, max: 2, step: 0.05 }],
  ["seed", "Seed, the same for all", 1, {}],
];

export function compare(root, params, known) {
  const ids = known.map(model => model.id);
  let chosen = params.getAll("model").slice(0, MOST), boxes = [];
  if (chosen.length < LEAST) chosen = standard(known);
  const error = alertBox();
  const prompt = el("textarea", { rows: 2, spellcheck: "false", value: params.get("prompt") ?? "It was a dark night, and", on: { input: save } });
  const settings = SETTINGS.map(([name, , value, limits]) => el("input", { type: "number", value: params.get(name) ?? value, ...limits, on: { input: save } }));
  const columns = el("div", { class: "columns compare" }), figures = el("div", { class: "figures" });
  const stop = el("button", { type: "button", disabled: true, on: { click: () => writing.stop() } }, "Stop");
  const more = el("button", { type: "button", class: "quiet", on: { click: () => change(() => chosen.push(ids[chosen.length % ids.length])) } }, "Add a column");
  const fewer = el("button", { type: "button", class: "quiet", on: { click: () => change(() => chosen.pop()) } }, "Remove the last");
  const writing = writer({ stop }, fault => { if (fault) error.show(fault); });
  const scores = scoring(params.get("text"), () => chosen, save);

  root.append(
    el("h1", {}, "Compare"),
    el("p", { class: "lead" }, "Let several models go on from one prompt, with the same dice, and see where they part and how sure each one was."),
    el("section", {},
      el("form", { class: "controls wide", on: { submit: event => event.preventDefault(), keydown: keys(run, writing.stop) } },
        field("Prompt", prompt),
        el("div", { class: "grid" }, SETTINGS.map(([, label], i) => field(label, settings[i]))),
        el("div", { class: "row" }, el("button", { type: "button", class: "primary", on: { click: run } }, "Write side by side"), stop, more, fewer, legend())),
      error.box, columns, figures),
    scores.section);
  change(() => {});

  function values() {
    return Object.fromEntries(SETTINGS.map(([name], i) => [name, settings[i].value]).filter(([, value]) => value !== ""));
  }

  function save() {
    write("compare", { model: chosen, prompt: prompt.value, ...values(), text: scores.text() });
  }

  function change(edit) {
    edit();
    more.disabled = chosen.length >= MOST;
    fewer.disabled = chosen.length <= LEAST;
    boxes = chosen.map(column);
    fill(columns, boxes.map(box => box.element));
    fill(figures);
    save();
  }

  function column(model, i) {
    const hint = el("p", { class: "muted" }, "Point at a token to see what else could have stood there.");
    const inspector = el("div", { class: "peek" }, hint), status = el("p", { class: "muted", role: "status" });
    const run = tokenRun(`What ${model} writes`, token => fill(inspector,
      el("p", { class: "muted" }, visible(token.text), " ", percent(Math.exp(token.logprob))), topBars(token.top.slice(0, 5), token.text)));
    const select = choice([...new Set([model, ...ids])], model, value => change(() => { chosen[i] = value; }));
    return { model, run, status, element: el("section", { class: "card" }, field(`Model ${i + 1}`, select), el("div", { class: "page" }, run.list), status, inspector) };
  }

  function run() {
    return writing.start(async signal => {
      error.clear();
      fill(figures);
      const results = await Promise.all(boxes.map(box => continueIn(box, signal)));
      const parting = firstDivergence(results, known);
      for (const { tokens } of results) mark(tokens[parting]);
      const paint = () => fill(figures, summary(results, parting), tokenTable(results, parting));
      paint();
      await measure(results, known, signal, paint);
    });
  }

  async function continueIn(box, signal) {
    const tokens = [], body = { model: box.model, prompt: prompt.value };
    for (const [name, value] of Object.entries(values())) body[name] = Number(value);
    box.run.clear();
    const { prompt: asked, ms } = await follow(body, signal, token => {
      tokens.push({ ...token, element: box.run.add(token) });
      box.status.textContent = `${tokens.length} tokens`;
    });
    box.status.textContent = `${tokens.length} tokens in ${number(ms, 0)} ms`;
    return { model: box.model, prompt: asked, tokens, ms };
  }

  return { end() { writing.stop(); } };
}

/** Marks the token at which not all models agree any more. */
function mark(token) {
  token?.element.classList.add("parting");
  token?.element.setAttribute("title", "From here on not all models agree.");
}

/** Models of one family, by their names, are the ones whose differences tell something; otherwise the first that there are. */
function standard(known) {
  const ids = known.map(model => model.id), [first] = ids, family = ids.filter(id => id !== first && id.startsWith(first)).slice(-2);
  const all = family.length === 2 ? [first, ...family] : ids.slice(0, 3);
  return all.length === 1 ? [first, first] : all;
}
