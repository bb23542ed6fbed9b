// What else is known of a token: its facts, its neighbours, another beside it, and other models.
import { el, fill, count, visible } from "./dom.js";
import { describeTable, lookup, picture, post } from "./api.js";
import * as draw from "./draw.js";

const MOST_SAME = 12;

export function facts(model, token, open, failed) {
  const points = token.code_points.slice(0, 4).flatMap((code, i) => [[code, token.names[i] ?? "no name"], ["Block", token.blocks[i] ?? "none"]]);
  return [
    el("h2", {}, "The token ", el("b", { class: "mono" }, visible(token.text))),
    el("dl", { class: "facts" }, [["Number", `#${token.id}`], ["Kind", token.kind], ...points].map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    el("h3", {}, "Tokens with the same numbers"),
    token.identical_count === 0 ? el("p", { class: "muted" }, "None: the model can tell it from all others.") : [
      el("p", { class: "muted" }, `${count(token.identical_count)}: the model cannot tell them apart.`),
      el("div", { class: "sprites" }, token.identical.slice(0, MOST_SAME).map(id => sprite(model, { id }, open, failed))),
    ],
  ];
}

export const neighbours = (model, token, open, failed) => [
  el("h2", {}, "Nearest to it"),
  el("p", { class: "muted" }, "The cosine tells how alike two rows of numbers are: 1 is the same direction, 0 nothing in common."),
  el("div", { class: "sprites" }, token.neighbors.map(one => sprite(model, one, open, failed))),
];

/** A picture that is asked for by itself, and opens its token. */
function sprite(model, { id, text, cosine }, open, failed) {
  const canvas = el("canvas", { class: "pixels", width: 64, height: 64, role: "img", "aria-label": text === undefined ? `Token ${id}` : visible(text) });
  picture(model, id).then(createImageBitmap).then(bitmap => { canvas.getContext("2d").drawImage(bitmap, 0, 0); draw.tint(canvas); }).catch(failed);
  return el("button", { type: "button", class: "sprite", "data-id": id, "data-cosine": cosine, title: `Open token ${id}`, on: { click: () => open(id) } },
    canvas, cosine === undefined ? null : el("span", {}, cosine.toFixed(3)));
}

export function pair(model, pinned, token, pin, failed) {
  const title = el("h2", {}, "Two tokens side by side"), keep = el("button", { type: "button", class: "quiet", on: { click: pin } }, "Compare others with this token");
  if (!pinned || pinned.id === token.id) return [title, el("p", { class: "muted" }, pinned ? "Kept. Now open another token." : "Keep this one, then open another, and see where they differ."), pinned ? null : keep];
  const cosine = el("span", {}), [one, two] = [visible(pinned.text), visible(token.text)];
  post(`/v1/models/${encodeURIComponent(model)}/embeddings/similarity`, { tokens: [pinned.id, token.id] })
    .then(answer => fill(cosine, `Cosine ${answer.matrix[0][1].toFixed(4)}.`), failed);
  return [
    title,
    el("div", { class: "three" }, [draw.glyph(pinned.glyph, one), draw.difference(pinned.glyph, token.glyph, "Where they differ"), draw.glyph(token.glyph, two)].map(canvas => el("figure", {}, canvas))),
    el("p", { class: "muted" }, el("b", { class: "first" }, `only ${one}`), ", ", el("b", { class: "second" }, `only ${two}`), ", black in both. ", cosine),
    el("p", { class: "muted" }, "The difference of their numbers:"),
    draw.heat(token.vector.map((value, i) => pinned.vector[i] - value), Math.min(token.vector.length, 32), "The difference of their numbers"), keep,
  ];
}

/** The same text in every model of the server. */
export async function elsewhere(token, ids, table) {
  const rows = await Promise.all(ids.map(async id => {
    try {
      const [other, { data }] = await Promise.all([describeTable(id), token.text ? lookup(id, token.text) : { data: [] }]);
      const isSame = table.fingerprint && other.fingerprint === table.fingerprint;
      return [id, isSame ? "this table" : `${other.source}, ${count(other.dimensions)}`, data.length === 1 ? `#${data[0].id}` : `${data.length} tokens`];
    } catch (fault) {
      return [id, fault.message, "–"];
    }
  }));
  return [
    el("h2", {}, "The same text in other models"),
    el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "The same text in every model" }, el("table", { class: "dense" }, el("caption", { class: "hidden" }, "The same text in every model"),
      el("thead", {}, el("tr", {}, ["Model", "Reads", "As"].map(name => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(([id, what, as]) => el("tr", {}, el("th", { scope: "row" }, id), el("td", {}, what), el("td", {}, as)))))),
  ];
}
