// One text under several models: how surprised each was at every token, and how far they are apart.
import { el, fill, field, alertBox, percent, number, visible } from "./dom.js";
import { compare as ask } from "./api.js";

/** The part of the page that scores a text by the chosen models. */
export function scoring(given, chosen, changed) {
  const error = alertBox(), scores = el("div", { class: "scores" });
  const text = el("textarea", { rows: 2, spellcheck: "false", value: given ?? "The old man was sitting by the fire. The old man was sitting by the television.", on: { input: changed } });
  const score = el("button", { type: "button", class: "primary", on: { click: run } }, "Score the text");

  async function run() {
    error.clear();
    score.disabled = true;
    try {
      show(await ask({ models: [...new Set(chosen())], text: text.value }));
    } catch (fault) {
      error.show(fault);
    } finally {
      score.disabled = false;
    }
  }

  function show({ models, pairs }) {
    const worst = Math.max(1, ...models.flatMap(each => each.token_logprobs).filter(value => value !== null).map(value => -value));
    const note = el("p", { class: "muted", role: "status" }, "Point at a bar, or walk with the arrow keys.");
    const look = i => {
      for (const bar of scores.querySelectorAll(".score-token")) bar.classList.toggle("looked", bar.dataset.position === String(i));
      fill(note, models.map(model => [el("b", {}, model.model), ` ${visible(model.tokens[i])} ${tell(model.token_logprobs[i])}   `]));
    };
    fill(scores, models.map(model => chart(model, worst, look)), note, pairs?.length
      ? el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Distances of the models" }, pairsTable(pairs)) : null);
  }

  return {
    text: () => text.value,
    section: el("section", {},
      el("h2", {}, "How likely is a text?"),
      el("p", { class: "muted" }, "The same models read a text. A bar is a token: the higher, the more surprised the model was. The first token follows nothing and has no bar."),
      el("form", { class: "controls wide", on: { submit: event => event.preventDefault() } }, field("Text", text), el("div", { class: "row" }, score)),
      error.box, scores),
  };
}

const tell = logprob => logprob === null ? "not counted" : `${percent(Math.exp(logprob))} (${number(-logprob, 2)} nats)`;

function chart(model, worst, look) {
  const bars = el("div", { class: "score-bars", tabindex: 0, role: "group", "aria-label": `Surprise of ${model.model} at each token; the full height is ${number(worst, 1)} nats`, on: { keydown: walk } },
    model.tokens.map((token, i) => {
      const logprob = model.token_logprobs[i];
      return el("span", { class: "score-token", "data-position": i, "data-logprob": logprob ?? "", title: tell(logprob), on: { pointerenter: () => go(i) } },
        el("i", { style: { "--h": logprob === null ? 0 : (-logprob / worst).toFixed(4) } }), el("span", {}, visible(token)));
    }));
  let at = -1;
  const go = i => { at = i; look(i); };

  function walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    go(Math.max(0, Math.min(model.tokens.length - 1, at + step)));
    bars.children[at].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  return el("section", { class: "score" },
    el("h3", {}, model.model),
    el("p", { class: "muted" }, el("b", {}, `${number(model.bits_per_character, 3)} bits per character`), ` · perplexity ${number(model.perplexity, 2)} · ${number(model.log_probability, 2)} nats in all`), bars);
}

const pairsTable = pairs => el("table", {}, el("caption", {}, "How far whole distributions are apart, mean over the text"),
  el("thead", {}, el("tr", {}, ["Models", "KL, nats", "JS, nats", "same first choice"].map(name => el("th", { scope: "col" }, name)))),
  el("tbody", {}, pairs.map(pair => el("tr", {}, el("th", { scope: "row" }, `${pair.a}, ${pair.b}`), el("td", {}, number(pair.kl, 3)), el("td", {}, number(pair.js, 3)), el("td", {}, percent(pair.same_argmax))))));
