// The way of one token: its text, its picture, its numbers, and the picture drawn again from the numbers.
import { el, fill, count, number, visible } from "./dom.js";
import { rebuilt } from "./api.js";
import * as draw from "./draw.js";

/** Codes of up to so many bits are written out; longer ones are drawn. */
const MOST_DIGITS = 64;

/** The steps with arrows between. `failed` is told errors. */
export function reading(model, table, token, failed) {
  const steps = [text(token), picture(table, token), numbers(table, token)];
  if (table.source === "glyph") steps.push(back(model, token, failed));
  return steps.flatMap((step, i) => i === 0 ? [step] : [el("span", { class: "arrow", "aria-hidden": "true" }, "→"), step]);
}

const step = (shown, title, fact, ...notes) => el("figure", {}, shown, el("figcaption", {}, el("b", {}, title), fact, notes.map(note => note && el("span", {}, note))));

const text = token => step(el("div", { class: "big-letter" }, visible(token.text)), "A token", `number ${count(token.id)}`,
  "A piece of text that the model treats as one: a character, or a frequent group of them.");

const picture = (table, token) => step(draw.glyph(token.glyph, `The picture of ${visible(token.text)}`), "Its picture", `${token.glyph.width} × ${token.glyph.height} pixels`,
  table.source === "glyph" ? "Drawn with the font GNU Unifont. Several characters share the square." : "For you to see: this model's numbers were not made from it.");

function numbers(table, token) {
  const size = token.vector.length, isCode = table.source === "binary" || table.source === "none";
  if (isCode) {
    const shown = size <= MOST_DIGITS ? el("div", { class: "bits mono" }, token.vector.join("")) : draw.heat(token.vector, Math.ceil(Math.sqrt(size)), `The ${size} bits of ${visible(token.text)}`);
    return step(shown, "What the model reads", `${count(size)} bits, ${count(token.vector.filter(bit => bit !== 0).length)} of them ones`,
      parseInt(token.vector.join(""), 2) === token.id ? "The token's number in binary." : "A code without meaning: like-looking tokens get codes as different as any.");
  }
  return step(draw.heat(token.vector, Math.ceil(Math.sqrt(size)), `The ${size} numbers of ${visible(token.text)}`), "What the model reads", `${count(size)} numbers, length ${number(token.norm, 3)}`,
    el("span", {}, el("b", { class: "first" }, "above zero"), ", ", el("b", { class: "second" }, "below zero"), ". ", table.source === "glyph" ? "The first tell the coarse shape, the last the finest strokes." : ""));
}

/** The picture got back from the numbers, and how much of it so many of them hold. The first of a large table takes the server seconds. */
function back(model, token, failed) {
  const box = el("div", {}), caption = el("figcaption", {}, el("b", {}, "Drawn again from the numbers"), "Finding the way back…"), graph = el("div", {});
  const figure = el("figure", { class: "rebuilt" }, box, caption);
  let asking = null, errors = [];

  function show(answer) {
    fill(box, draw.greys(answer, `The picture drawn again from ${answer.components} numbers`));
    fill(caption, el("b", {}, "Drawn again from the numbers"), `${answer.components} of ${answer.dimensions}: ${answer.wrong_pixels} of ${answer.width * answer.height} pixels wrong`);
    fill(graph, draw.curve(errors, `Mean squared error a pixel: ${number(errors[0], 4)} without any number, ${number(errors.at(-1), 4)} with all`, { mark: answer.components }));
  }

  function ask(components) {
    asking?.abort();
    const mine = asking = new AbortController();
    rebuilt(model, token.id, components, mine.signal).then(show, fault => { if (!mine.signal.aborted) failed(fault); });
  }

  token.rebuilt ??= rebuilt(model, token.id);
  token.rebuilt.then(whole => {
    errors = whole.errors;
    const slider = el("input", { type: "range", min: 0, max: whole.dimensions, value: whole.components, "aria-label": "Numbers kept", on: { input: () => ask(Number(slider.value)) } });
    show(whole);
    figure.append(slider, graph, el("small", { class: "muted" }, "So the numbers hold the picture. Drag to keep fewer: the curve is the error that remains."));
  }).catch(fault => { fill(caption, fault.message); failed(fault); });
  return figure;
}
