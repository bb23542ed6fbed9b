// Glyphs: what a model reads instead of text. A token is a picture, the picture is a row of numbers, and back.
import { el, fill, field, choice, alertBox, bytes, count, visible, walk } from "./dom.js";
import { describeTable, lookup, token as readToken } from "./api.js";
import { write } from "./state.js";
import { reading } from "./reading.js";
import { facts, neighbours, pair, elsewhere } from "./cards.js";
import { atlas } from "./map.js";
import * as draw from "./draw.js";

const TEXTS = { "glyph-ru": "Жил-был the кот", "glyph-zh": "话说天下大势", other: "阅读 Чтение reading" };
const NEIGHBOURS = 12;

export function glyphs(root, params, known) {
  const ids = known.filter(model => model.kind !== "ensemble").map(model => model.id);
  let model = ids.includes(params.get("model")) ? params.get("model") : ids[0];
  let table = null, chosen = null, pinned = null, strip = [], typing = null;
  const error = alertBox();
  const text = el("input", { type: "text", maxlength: 500, spellcheck: "false", value: params.get("text") ?? TEXTS[model] ?? TEXTS.other, on: { input: () => { clearTimeout(typing); typing = setTimeout(cut, 200); } } });
  const models = choice(ids, model, value => { model = value; pinned = null; begin(); });
  const story = el("div", { class: "story" }), tokens = el("div", { class: "strip", role: "listbox", "aria-label": "The text's tokens" });
  const hero = el("section", { class: "hero", "aria-label": "From text to numbers and back" });
  const cards = Array.from({ length: 4 }, () => el("section", { class: "card" })), [about, near, two, across] = cards;
  const map = atlas(() => text.value, open);
  const nothing = el("p", { class: "muted", hidden: true }, "Type something, and see what becomes of it.");
  tokens.addEventListener("keydown", walk(tokens));

  root.append(
    el("h1", {}, "What the model reads"), story,
    el("form", { class: "controls", on: { submit: event => { event.preventDefault(); cut(); } } },
      el("div", { class: "grid two" },
        field("Type anything; or a code point, as U+0416; or a token's number, as #1046", text),
        field("Model", models))),
    error.box, nothing, tokens, hero,
    el("div", { class: "columns glyph-columns" }, cards),
    map.section);
  if (model) begin(); else fill(story, el("p", {}, "This server has no model."));

  async function begin() {
    error.clear();
    try {
      table = await describeTable(model);
      fill(story, tell(table));
      await cut();
      await map.show(model);
    } catch (fault) {
      error.show(fault);
    }
  }

  async function cut() {
    error.clear();
    write("glyphs", { model, text: text.value });
    try {
      strip = await find(text.value);
    } catch (fault) {
      strip = [];
      error.show(fault instanceof RangeError ? new Error("There is no such code point: they go to U+10FFFF.")
        : fault instanceof URIError ? new Error("This is half of a character (U+D800 to U+DFFF), which no text has by itself.") : fault);
    }
    showStrip();
    hero.hidden = strip.length === 0;
    nothing.hidden = !hero.hidden;
    for (const card of cards) card.hidden = hero.hidden;
    if (!hero.hidden) await open(strip[0].id);
  }

  async function find(asked) {
    const byNumber = /^\s*#(\d+)\s*$/.exec(asked), byCode = /^\s*U\+([0-9a-f]{4,6})\s*$/i.exec(asked);
    if (byNumber) return [await readToken(model, Number(byNumber[1]))];
    const said = byCode ? String.fromCodePoint(parseInt(byCode[1], 16)) : asked;
    return said === "" ? [] : (await lookup(model, said)).data;
  }

  function showStrip() {
    fill(tokens, strip.map((token, i) => el("button", {
      type: "button", role: "option", class: "tile", tabindex: i === 0 ? 0 : -1, "aria-selected": String(token.id === chosen?.id), "data-id": token.id, on: { click: () => open(token.id) },
    }, draw.glyph(token.glyph, ""), el("span", { class: "mono" }, visible(token.text)))));
  }

  async function open(id) {
    error.clear();
    try {
      chosen = await readToken(model, id, NEIGHBOURS);
    } catch (fault) {
      return error.show(fault);
    }
    for (const tile of tokens.children) tile.setAttribute("aria-selected", String(Number(tile.dataset.id) === id));
    paint();
    fill(across, await elsewhere(chosen, ids, table));
  }

  function paint() {
    if (!chosen) return;
    fill(hero, reading(model, table, chosen, error.show));
    fill(about, facts(model, chosen, open, error.show));
    fill(near, neighbours(model, chosen, open, error.show));
    fill(two, pair(model, pinned, chosen, () => { pinned = chosen; paint(); }, error.show));
  }

  return { end() { clearTimeout(typing); }, repaint() { showStrip(); paint(); map.repaint(); } };
}

/** What the table is, in words for somebody who never heard of such a thing. */
function tell(table) {
  const numbers = `${count(table.dimensions)} numbers`;
  const texts = {
    glyph: [
      "A language model cannot read letters. Each piece of a text, a ", el("em", {}, "token"), ", is looked up in a table and replaced by its row of numbers. In most models that table is learned, "
      + "and nobody can say what its numbers mean. Here each row is a ", el("em", {}, "picture of the writing"), `: the token was drawn, and the drawing written down as ${numbers}, before the model had learned anything. `,
      "The table has not changed since: it is frozen, and everything the model knows came after it.",
    ],
    binary: [
      "A language model cannot read letters. Each piece of a text, a ", el("em", {}, "token"), ", is looked up in a table and replaced by its row of numbers. In most models that table is learned. "
      + `Here each row is a code of ${count(table.dimensions)} zeros and ones that was handed out before training and never changed: it tells tokens apart and says nothing else about them.`,
    ],
    none: ["This model has no table to look tokens up in. It reads the binary digits of a token's number, and learns what it needs after that."],
    float: [table.frozen
      ? `Each token is looked up in a table and replaced by a row of ${numbers} that was fixed before training and never changed. The rows are no pictures that this server knows.`
      : `Each token is looked up in a table and replaced by a row of ${numbers}. This table was trained like the rest of the model: nobody drew it, and no picture can be rebuilt from it.`],
  };
  return [el("p", { class: "lead" }, texts[table.source]), el("dl", { class: "plate" }, plate(table).map(([name, value, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, value), note ? ` ${note}` : ""))))];
}

function plate(table) {
  const facts = [
    ["The table", `${count(table.rows)} × ${count(table.dimensions)}`, table.source === "none" ? "binary digits" : "a row for each token"],
    ["Made", table.frozen ? "computed, frozen" : "trained", table.recipe ? `(recipe ${table.recipe})` : ""],
  ];
  if (table.source !== "none") facts.push(["Same rows", count(table.duplicate_rows), table.duplicate_rows === 0 ? "every token is told apart" : table.source === "glyph" ? "tokens look just like an earlier one" : "rows repeat an earlier one"]);
  if (table.shared_with.length > 0) facts.push(["Shared by", `${table.shared_with.length + 1} models`, `which hold its ${bytes(table.bytes)} once: ${bytes(table.bytes_saved)} saved`]);
  return facts;
}
