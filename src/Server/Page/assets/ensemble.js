// Ensemble: who carried each choice, and what another mix would have chosen, computed here from what was recorded.
import { el, fill, field, choice, alertBox, percent, number, visible, walk } from "./dom.js";
import { compare as askAll, get, put, spelling, tokenize } from "./api.js";
import { argmax, blend, top, disagreement } from "./mix.js";
import { castOf, recordAll } from "./record.js";
import { write } from "./state.js";
import { curve } from "./draw.js";

/** Experts that also write alone: the server compares up to eight at once. */
const MOST_ALONE = 7;

export function ensemble(root, params, known) {
  const named = known.filter(model => model.kind === "ensemble").map(model => model.id);
  const single = known.filter(model => model.kind !== "ensemble").map(model => model.id);
  const asked = params.get("model");
  const options = [...new Set([asked, ...sumsOf(single), ...named].filter(Boolean))];
  const error = alertBox();
  const model = choice(options, asked ?? options[0]);
  const prompt = el("textarea", { rows: 3, spellcheck: "false", value: params.get("prompt") ?? "She looked at the window and saw" });
  const steps = el("input", { type: "number", min: 1, max: 50, step: 1, value: params.get("steps") ?? 24 });
  const go = el("button", { type: "button", class: "primary", on: { click: run } }, "Record");
  const result = el("div", { class: "recording" });
  let working = null, reader = null, names = new Map(), shownStep = 0, repaint = () => {};

  root.append(
    el("h1", {}, "Ensemble"),
    el("p", { class: "lead" }, "Experts that read one table can be averaged without training. Record a text once; then move the weights and see "
      + "at which steps another mix would have chosen another token."),
    el("form", { class: "controls wide", on: { submit: event => { event.preventDefault(); run(); } } },
      field("Prompt", prompt), el("div", { class: "row end" }, field("Ensemble", model), field("Steps", steps), go)),
    error.box, result);
  if (options.length === 0) fill(result, el("p", { class: "muted" }, "This server has no ensemble, and no two models to make one of."));
  else if (params.get("run")) run();

  async function run() {
    working?.abort();
    const mine = working = new AbortController();
    error.clear();
    go.disabled = true;
    go.textContent = "Recording…";
    write("ensemble", { model: model.value, prompt: prompt.value, steps: steps.value, run: 1 });
    try {
      const ensembles = await get("/v1/ensembles").then(list => list.data);
      const cast = castOf(model.value, known, ensembles);
      const experts = [...new Set(cast.members.map(member => member.model))];
      const written = await askAll({ models: [model.value, ...experts.slice(0, MOST_ALONE)], prompt: prompt.value, max_tokens: Number(steps.value), temperature: 0, ignore_eos: true }, mine.signal);
      const own = written.models[0];
      reader = experts[0];
      const before = (await tokenize(reader, prompt.value, mine.signal)).tokens;
      const vocabulary = known.find(each => each.id === reader).vocab_size;
      const rows = await recordAll(cast.members.map(member => member.model), [...before, ...own.token_ids], own.token_ids.length, vocabulary, mine.signal);
      names = new Map(own.token_ids.map((id, i) => [id, own.tokens[i]]));
      show({ cast, own, rows, alone: written.models.slice(1) });
    } catch (fault) {
      if (!mine.signal.aborted) error.show(fault);
    } finally {
      [go.disabled, go.textContent] = [false, "Record"];
    }
  }

  /** What a token says, asked of the server at most once. */
  async function nameOf(id) {
    if (!names.has(id)) {
      const known = names;
      known.set(id, spelling(reader, id).then(text => { known.set(id, text); return text; }));
    }
    return names.get(id);
  }

  const shownName = id => typeof names.get(id) === "string" ? names.get(id) : "…";

  function show({ cast, own, rows, alone }) {
    const weights = cast.members.map(member => member.weight), most = Math.max(...weights, 1);
    const settled = [...weights];
    let rule = cast.rule;
    const total = () => weights.reduce((sum, weight) => sum + weight, 0);
    const verdict = el("p", { class: "verdict", role: "status" });
    const strip = el("div", { class: "tokens steps", role: "listbox", "aria-label": "The steps" });
    strip.addEventListener("keydown", walk(strip));
    const detail = el("section", { class: "step-detail" });
    const graph = el("div", { class: "graph" });
    const outputs = cast.members.map(() => el("output", { class: "mono" }));
    const sliders = cast.members.map((member, i) => el("input", {
      type: "range", min: 0, max: most * 2, step: most / 50, value: weights[i],
      on: { input: event => { weights[i] = Number(event.target.value); if (total() === 0) weights[i] = most / 50; mix(); } },
    }));
    const rules = choice(["logits", "probs"], rule, value => { rule = value; mix(); });
    const name = el("input", { type: "text", value: named.includes(cast.id) ? cast.id : "my-mix", pattern: "[A-Za-z0-9._\\-]{1,64}" });
    const real = el("button", { type: "button", on: { click: makeReal } }, "Make this mix the real one");
    const reset = el("button", { type: "button", class: "quiet", on: { click: () => { settled.forEach((weight, i) => { weights[i] = weight; sliders[i].value = weight; }); rules.value = rule = cast.rule; mix(); } } }, "As recorded");

    fill(result, el("div", { class: "split" },
      el("section", { class: "card mixer" },
        el("h2", {}, "The mix"),
        cast.members.map((member, i) => el("div", { class: "slider" }, field(member.model, sliders[i]), outputs[i])),
        field("Mean of", rules),
        verdict,
        el("div", { class: "row" }, reset),
        field("Name", name), real),
      el("div", { class: "stage" },
        el("section", {}, el("h2", {}, "The text, step by step"), strip, detail),
        el("section", {}, el("h2", {}, "How much the experts disagree"), el("p", { class: "muted" }, "Jensen-Shannon divergence at each step, in nats: 0 where all say the same."), graph),
        el("section", {}, el("h2", {}, "In one piece"),
          el("dl", { class: "alone" }, [{ model: `${cast.id}, as recorded`, text: own.text }, ...alone].map(each => [el("dt", {}, each.model), el("dd", {}, each.text)]))))));

    function mixAt(step) { return blend(rows.map(each => each[step]), weights, rule); }

    function currentChoices() { return own.token_ids.map((_, step) => argmax(mixAt(step))); }

    function mix() {
      const choices = currentChoices();
      const same = choices.filter((id, step) => id === own.token_ids[step]).length;
      outputs.forEach((output, i) => { output.textContent = percent(weights[i] / total()); });
      const isRecorded = rule === cast.rule && weights.every((weight, i) => Math.abs(weight / total() - settled[i] / settled.reduce((sum, each) => sum + each, 0)) < 1e-12);
      fill(verdict, el("b", {}, `${same} of ${choices.length}`), isRecorded
        ? " next tokens, computed here from the recorded logits, are the ones the server chose."
        : " steps would choose the same token under this mix; the others are marked.");
      paintSteps(choices);
      const unknown = choices.filter(id => typeof names.get(id) !== "string");
      if (unknown.length > 0) Promise.all(unknown.map(nameOf)).then(() => paintSteps(currentChoices()), error.show);
      if (shownStep < choices.length) explain(shownStep);
    }

    function paintSteps(choices) {
      own.tokens.forEach((text, step) => {
        const element = strip.children[step] ?? strip.appendChild(el("span", {
          class: "token", role: "option", tabindex: step === 0 ? 0 : -1, on: { click: () => explain(step), focus: () => explain(step), pointerenter: () => explain(step) },
        }));
        const isChanged = choices[step] !== own.token_ids[step];
        element.dataset.choice = choices[step];
        element.classList.toggle("changed", isChanged);
        fill(element, visible(text), isChanged ? el("small", {}, ` → ${visible(shownName(choices[step]))}`) : null);
        element.setAttribute("aria-selected", String(step === shownStep));
      });
    }

    async function explain(step) {
      shownStep = step;
      [...strip.children].forEach((each, i) => each.setAttribute("aria-selected", String(i === step)));
      const everyone = [...cast.members.map((member, i) => ({ name: member.model, best: top(rows[i][step], 5), row: rows[i][step] })), { name: "the mix", best: top(mixAt(step), 5), isMix: true }];
      // Who carried it: whose weight and preference moved the choice furthest from the mix's second one.
      const [{ id: chosen }, { id: second }] = everyone.at(-1).best;
      const pulls = cast.members.map((_, i) => weights[i] * (rows[i][step][chosen] - rows[i][step][second]));
      const carrier = pulls.indexOf(Math.max(...pulls));
      await Promise.all(everyone.flatMap(each => each.best.map(one => nameOf(one.id))));
      if (step !== shownStep) return;
      fill(detail,
        el("p", {}, `Step ${step + 1}: the mix chooses `, el("b", { class: "mono" }, visible(names.get(chosen))),
          chosen === own.token_ids[step] ? "" : [" instead of ", el("b", { class: "mono" }, visible(own.tokens[step]))],
          `. Carried by ${cast.members[carrier].model}; disagreement ${number(disagreement(rows.map(each => each[step]), weights), 3)} nats.`),
        el("div", { class: "columns" }, everyone.map((each, i) => el("section", { class: each.isMix ? "card mixed" : i === carrier ? "card carrier" : "card" },
          el("h3", {}, each.name),
          el("ol", { class: "bars" }, each.best.map(one => el("li", { class: one.id === chosen ? "chosen" : null, "data-id": one.id, "data-p": one.p, style: { "--p": one.p.toFixed(6) } },
            el("span", { class: "bar-text" }, visible(names.get(one.id))), el("span", { class: "bar-value" }, percent(one.p)))))))));
    }

    async function makeReal() {
      error.clear();
      real.disabled = true;
      try {
        await put(`/v1/ensembles/${encodeURIComponent(name.value)}`, { experts: cast.members.map((member, i) => ({ model: member.model, weight: weights[i] })), combine: rule });
        if (![...model.options].some(option => option.value === name.value)) model.append(el("option", { value: name.value }, name.value));
        model.value = name.value;
        named.push(name.value);
        await run();
      } catch (fault) {
        error.show(fault);
      } finally {
        real.disabled = false;
      }
    }

    shownStep = 0;
    repaint = () => fill(graph, curve(own.tokens.map((_, step) => disagreement(rows.map(each => each[step]), settled)), "Disagreement of the experts, step by step"));
    repaint();
    mix();
  }

  return { end() { working?.abort(); }, repaint: () => repaint() };
}

/** The first model with each of the others, its nearest relative by name first. */
function sumsOf([first, ...others]) {
  const isKin = id => id.startsWith(first);
  return [...others.filter(isKin).reverse(), ...others.filter(id => !isKin(id))].map(other => `${first}+${other}`);
}
