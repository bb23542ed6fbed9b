// What several models wrote from one prompt, in figures: each as a whole, and token by token.
import { el, number, percent, visible } from "./dom.js";
import { get } from "./api.js";
import { castOf, record, mixed } from "./record.js";
import { entropy, divergence } from "./mix.js";

/** The first place at which not all agree; null when all are the same. Ids tell only where all have one tokenizer. */
export function firstDivergence(results, known) {
  const cutters = new Set(results.map(result => readerOf(result.model, known)?.tokenizer_fingerprint));
  const name = cutters.size === 1 ? "id" : "text", longest = Math.max(...results.map(result => result.tokens.length));
  for (let i = 0; i < longest; i++) if (results.some(({ tokens }) => tokens[i]?.[name] !== results[0].tokens[i]?.[name])) return i;
  return null;
}

/** Whose tokenizer and vocabulary an id means: the model's own, or a sum's first member's. */
const readerOf = (id, known) => known.find(model => model.id === id) ?? known.find(model => model.id === id.split(/[+@]/)[0]);

/**
 * Gives every token the entropy of what its model could have written there, and the distance from what the first model could
 * have: the divergence KL(model ‖ first) of whole distributions after the same text, where both have one tokenizer.
 */
export async function measure(results, known, signal, painted) {
  const ensembles = (await get("/v1/ensembles", signal)).data;
  const casts = results.map(result => castOf(result.model, known, ensembles));
  const first = casts[0], reader = readerOf(results[0].model, known);
  for (const [i, { model, prompt, tokens }] of results.entries()) {
    if (tokens.length === 0) continue;
    const cast = casts[i], own = readerOf(model, known);
    const isComparable = i > 0 && own && own.tokenizer_fingerprint === reader?.tokenizer_fingerprint;
    const models = [...cast.members, ...(isComparable ? first.members : [])].map(member => member.model);
    for await (const { from, rows } of record(models, [...prompt, ...tokens.map(token => token.id)], tokens.length, own?.vocab_size ?? 1, signal)) {
      rows[0].forEach((_, k) => {
        const at = rows.map(each => each[k]), mix = mixed(cast, at.slice(0, cast.members.length));
        tokens[from + k].entropy = entropy(mix);
        if (isComparable) tokens[from + k].kl = divergence(mix, mixed(first, at.slice(cast.members.length)));
      });
    }
    painted();
  }
}

const mean = values => values.length && values.every(value => value !== undefined) ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;

/** Each model as a whole. */
export function summary(results, parting) {
  const rows = [
    ["Mean probability", each => percent(mean(each.tokens.map(token => Math.exp(token.logprob))))],
    ["Mean entropy, nats", each => number(mean(each.tokens.map(token => token.entropy)), 3)],
    [`Mean KL from ${results[0].model}, nats`, each => number(mean(each.tokens.map(token => token.kl)), 3)],
    ["First token", each => `${number(each.tokens[0]?.ms, 0)} ms`],
    ["Whole answer", each => `${number(each.ms, 0)} ms`],
  ];
  return [
    el("p", { class: "verdict" }, parting === null ? "All wrote the same." : `They part at token ${parting + 1}.`),
    el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Figures of each model" }, el("table", {},
      el("caption", { class: "hidden" }, "Figures of each model"),
      el("thead", {}, el("tr", {}, el("td", {}), results.map(each => el("th", { scope: "col" }, each.model)))),
      el("tbody", {}, rows.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), results.map(each => el("td", {}, value(each)))))))),
  ];
}

/** The figures of a token: name, value, how it is written, and the value that fills a cell. */
const FIGURES = [
  ["p", token => Math.exp(token.logprob), percent, () => 1],
  ["entropy", token => token.entropy, value => number(value, 2), all => Math.max(...all.map(token => token.entropy ?? 0))],
  ["KL", token => token.kl, value => number(value, 2), all => Math.max(...all.map(token => token.kl ?? 0))],
  ["ms", token => token.ms, value => number(value, 0), () => Infinity],
];

/** A row for each position, with a group of columns for each model. */
export function tokenTable(results, parting) {
  const all = results.flatMap(each => each.tokens), longest = Math.max(...results.map(each => each.tokens.length));
  const figures = FIGURES.map(([name, of, text, most]) => ({ name, of, text, most: most(all) }));
  return el("details", { class: "token-table", open: true }, el("summary", {}, "Token by token"),
    el("p", { class: "muted" }, "p is the probability that the model gave to the token it wrote; entropy, how open the choice was; KL, how far its whole "
      + `distribution was from that of ${results[0].model} after the same text (both in nats); ms, when the token came.`),
    el("div", { class: "scroll tall", role: "region", tabindex: 0, "aria-label": "Figures of each token" }, el("table", { class: "dense" },
      el("caption", { class: "hidden" }, "Figures of each token"),
      el("thead", {},
        el("tr", {}, el("th", { scope: "col", rowspan: 2 }, "#"), results.map(each => el("th", { scope: "colgroup", colspan: 1 + figures.length, class: "model" }, each.model))),
        el("tr", {}, results.map(() => [el("th", { scope: "col", class: "model" }, "token"), figures.map(({ name }) => el("th", { scope: "col" }, name))]))),
      el("tbody", {}, Array.from({ length: longest }, (_, position) => el("tr", { class: position === parting ? "parting" : null, title: position === parting ? "From here on not all models agree." : null },
        el("th", { scope: "row" }, position + 1), results.map(each => cells(each.tokens[position], figures))))))));
}

function cells(token, figures) {
  if (!token) return el("td", { class: "model", colspan: 1 + figures.length });
  return [el("td", { class: "model mono" }, visible(token.text)), figures.map(({ name, of, text, most }) => {
    const value = of(token), share = most > 0 && Number.isFinite(value) ? Math.min(1, value / most) : 0;
    return el("td", { class: "bar-cell", "data-figure": name, "data-value": value, style: { "--share": share.toFixed(4) } }, text(value));
  })];
}
