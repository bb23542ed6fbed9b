// Glyphs: what a model reads instead of text. A token is a picture, the picture is a vector, and back.
import { el, fill, field, choice, alertBox, bytes, count, number, visible } from "./dom.js";
import { describeTable, lookup, token as readToken, rebuilt, map as readMap, picture, post } from "./api.js";
import { write } from "./state.js";
import * as draw from "./draw.js";

const TEXTS = { "glyph-ru": "Жил-был the кот", "glyph-zh": "话说天下大势", other: "阅读 Чтение reading" };
const RANGES = { Latin: [0x41, 0x5A, 0x61, 0x7A, 0xC0, 0x17F], Cyrillic: [0x410, 0x44F], Greek: [0x391, 0x3A1, 0x3A3, 0x3C9], Kana: [0x3041, 0x30FE] };
const MAPS = { "Latin, Greek and Cyrillic": ["Latin", "Greek", "Cyrillic"], "Kana and Cyrillic": ["Kana", "Cyrillic"], "The whole vocabulary": null, "The text above": "text" };

export function glyphs(root, params, known) {
  const ids = known.filter(model => model.kind !== "ensemble").map(model => model.id);
  let model = ids.includes(params.get("model")) ? params.get("model") : ids[0];
  let table = null, chosen = null, pinned = null, strip = [], map = null, kept = null, rebuilding = null;
  const error = alertBox();
  const text = el("input", { type: "text", class: "wide-input", spellcheck: "false", value: params.get("text") ?? TEXTS[model] ?? TEXTS.other, on: { input: () => { clearTimeout(typing); typing = setTimeout(cut, 200); } } });
  const models = choice(ids, model, value => { model = value; pinned = null; begin(); });
  const story = el("div", { class: "story" }), tokens = el("div", { class: "strip", role: "listbox", "aria-label": "The text's tokens", on: { keydown: walk } });
  const hero = el("section", { class: "hero", "aria-label": "From text to vector and back" });
  const facts = el("section", { class: "card" }), near = el("section", { class: "card" }), pair = el("section", { class: "card" }), across = el("section", { class: "card" });
  const atlas = el("section", {});
  const mapChoice = choice(Object.keys(MAPS), Object.keys(MAPS)[0], showMap), mapBox = el("div", { class: "map-box" });
  let typing = null;

  root.append(
    el("h1", {}, "What the model reads"), story,
    el("form", { class: "controls wide", on: { submit: event => { event.preventDefault(); cut(); } } },
      el("div", { class: "grid two" },
        field("Text, a code point such as U+0416, or a token's number such as #1046", text),
        field("Model", models))),
    error.box, tokens, hero,
    el("div", { class: "columns glyph-columns" }, facts, near, pair, across),
    atlas);
  fill(atlas, el("h2", {}, "A map of pictures"),
    el("p", { class: "muted" }, "Tokens lie where their two most telling coordinates put them, so what looks alike lies together, whatever the script. Point at one, or walk with the arrow keys; Enter opens it."),
    field("Tokens", mapChoice), mapBox);
  if (model) begin(); else fill(story, el("p", {}, "This server has no model."));

  async function begin() {
    error.clear();
    try {
      table = await describeTable(model);
      fill(story, tell(table));
      await cut();
      await showMap();
    } catch (fault) {
      error.show(fault);
    }
  }

  /** What the table is, in words for somebody who never heard of such a thing. */
  function tell(facts) {
    const size = `${count(facts.rows)} rows of ${facts.dimensions} numbers`;
    const saved = facts.shared_with.length > 0 ? ` ${[facts.model, ...facts.shared_with].join(", ")} read the same ${bytes(facts.bytes)} of memory, so ${bytes(facts.bytes_saved)} are saved.` : "";
    const texts = {
      glyph: [
        "Most language models learn a secret number code for every word. This one does not. It ", el("em", {}, "looks"), " at the writing: each token is drawn as a small picture, "
        + `and the picture, turned so that its most telling strokes come first, is the list of ${facts.dimensions} numbers that the model reads.`,
      ],
      binary: ["This model reads each token as a fixed code of zeros and ones. The code was handed out, not learned."],
      none: ["This model has no table at all: it reads the binary digits of the token's number."],
      float: [facts.frozen ? "This model reads each token as a fixed list of numbers of length 1 that was not learned, and is no picture." : "This table was learned like the rest of the model: its numbers are no pictures, and nothing can be rebuilt from them."],
    };
    return [el("p", { class: "lead" }, texts[facts.source]),
      el("p", { class: "muted" }, `The table: ${size}, ${facts.frozen ? "computed once and frozen before training" : "trained"}${facts.recipe ? ` (recipe ${facts.recipe})` : ""}.`
        + ` ${count(facts.duplicate_rows)} rows repeat an earlier one, because some characters look the same.${saved}`)];
  }

  async function cut() {
    error.clear();
    write("glyphs", { model, text: text.value });
    const asked = text.value.trim();
    try {
      const byNumber = /^#(\d+)$/.exec(asked), byCode = /^U\+([0-9a-f]{4,6})$/i.exec(asked);
      if (byNumber) strip = [await readToken(model, Number(byNumber[1]))];
      else if (asked) strip = (await lookup(model, byCode ? String.fromCodePoint(parseInt(byCode[1], 16)) : text.value)).data;
      else strip = [];
    } catch (fault) {
      strip = [];
      error.show(fault instanceof RangeError ? new Error("There is no such code point: they go to U+10FFFF.") : fault);
    }
    showStrip();
    if (strip.length > 0) await open(strip[0].id);
  }

  function showStrip() {
    fill(tokens, strip.map((token, i) => el("button", {
      type: "button", role: "option", class: "tile", tabindex: i === 0 ? 0 : -1, "aria-selected": "false", "data-id": token.id, on: { click: () => open(token.id) },
    }, draw.glyph(token.glyph, ""), el("span", { class: "mono" }, visible(token.text)))));
  }

  function walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = [...tokens.children];
    if (!step || !all.includes(document.activeElement)) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + step))].focus();
  }

  async function open(id) {
    error.clear();
    try {
      chosen = await readToken(model, id, 10);
      kept = table.source === "glyph" ? await rebuilt(model, id) : null;
    } catch (fault) {
      return error.show(fault);
    }
    for (const tile of tokens.children) tile.setAttribute("aria-selected", String(Number(tile.dataset.id) === id));
    paint();
    showAcross();
  }

  function paint() {
    if (!chosen) return;
    showHero();
    showFacts();
    showNeighbours();
    showPair();
  }

  function showHero() {
    const label = visible(chosen.text), bits = table.source === "binary" || table.source === "none";
    const strip = draw.heat(chosen.vector, Math.ceil(Math.sqrt(chosen.vector.length)), `The ${chosen.vector.length} numbers of ${label}`);
    const steps = [
      el("figure", {}, el("div", { class: "big-letter" }, label), el("figcaption", {}, el("b", {}, "A token"), `number ${chosen.id}`,
        el("span", {}, "Text is cut into tokens: single characters, and pieces of words that are frequent."))),
      el("figure", {}, draw.glyph(chosen.glyph, `The picture of ${label}`), el("figcaption", {}, el("b", {}, "Its picture"), `${chosen.glyph.width} × ${chosen.glyph.height} pixels`,
        el("span", {}, table.source === "glyph" ? "Each character is drawn with the font GNU Unifont; several share the space." : "For you to see; this model does not."))),
      el("figure", {}, bits ? el("div", { class: "bits mono" }, chosen.vector.join("")) : strip, el("figcaption", {}, el("b", {}, "What the model reads"), `${chosen.vector.length} numbers, length ${number(chosen.norm, 3)}`,
        bits ? null : el("span", {}, el("b", { class: "first" }, "above zero"), el("b", { class: "second" }, "below zero"), table.source === "glyph" ? "Look-alikes get nearly the same numbers." : ""))),
    ];
    if (kept) steps.push(rebuiltFigure());
    fill(hero, steps.flatMap((step, i) => i === 0 ? [step] : [el("span", { class: "arrow", "aria-hidden": "true" }, "→"), step]));
  }

  /** The picture got back from the numbers, and how much of it so many of them hold. */
  function rebuiltFigure() {
    const whole = kept, box = el("div", {}), caption = el("figcaption", {}), graph = el("div", {});
    const slider = el("input", { type: "range", min: 0, max: whole.dimensions, value: whole.components, "aria-label": "Numbers kept", on: { input: () => ask(Number(slider.value)) } });
    const show = answer => {
      fill(box, draw.greys(answer, `The picture rebuilt from ${answer.components} numbers`));
      fill(caption, el("b", {}, "Rebuilt from the numbers"), `${answer.components} of ${answer.dimensions}: ${answer.wrong_pixels} of ${answer.width * answer.height} pixels wrong`);
      fill(graph, draw.curve(whole.errors, `Mean squared error a pixel: ${number(whole.errors[0], 4)} without any number, ${number(whole.errors.at(-1), 4)} with all`, { mark: answer.components }));
    };
    const ask = async components => {
      rebuilding?.abort();
      const mine = rebuilding = new AbortController();
      await rebuilt(model, whole.id, components, mine.signal).then(show, fault => { if (!mine.signal.aborted) error.show(fault); });
    };
    show(whole);
    return el("figure", { class: "rebuilt" }, box, caption, slider, graph, el("small", { class: "muted" }, "Nothing was lost on the way? Keep fewer numbers and see. The curve is the error that remains."));
  }

  function showFacts() {
    const list = [["Number", chosen.id], ["Kind", chosen.kind], ...chosen.code_points.slice(0, 4).flatMap((code, i) => [[code, chosen.names[i] ?? "no name"], ["Block", chosen.blocks[i] ?? "none"]])];
    fill(facts, el("h2", {}, "The token ", el("b", { class: "mono" }, visible(chosen.text))),
      el("dl", { class: "facts" }, list.map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
      el("h3", {}, "Tokens with the same numbers"),
      chosen.identical_count === 0 ? el("p", { class: "muted" }, "None: the model can tell it from all others.")
        : [el("p", { class: "muted" }, `${count(chosen.identical_count)}: the model cannot tell them apart.`), el("div", { class: "sprites" }, chosen.identical.slice(0, 12).map(id => sprite(id)))]);
  }

  const sprite = (id, label, note) => el("button", { type: "button", class: "sprite", "data-id": id, "data-cosine": note, on: { click: () => open(id) }, title: `Open token ${id}` },
    stamp(id, label === undefined ? `Token ${id}` : visible(label)),
    note === undefined ? null : el("span", {}, note.toFixed(3)));

  /** A picture that is asked for by itself. */
  function stamp(id, label) {
    const canvas = el("canvas", { class: "pixels", width: 64, height: 64, role: "img", "aria-label": label });
    picture(model, id).then(createImageBitmap).then(bitmap => canvas.getContext("2d").drawImage(bitmap, 0, 0), error.show).then(() => draw.tint(canvas));
    return canvas;
  }

  function showNeighbours() {
    fill(near, el("h2", {}, "Nearest to it"), el("p", { class: "muted" }, "By the cosine of the numbers: 1 is the same direction."),
      el("div", { class: "sprites" }, chosen.neighbors.map(one => sprite(one.id, one.text, one.cosine))));
  }

  function showPair() {
    const pin = el("button", { type: "button", class: "quiet", on: { click: () => { pinned = chosen; showPair(); } } }, "Compare others with this token");
    if (!pinned || pinned.id === chosen.id) return void fill(pair, el("h2", {}, "Two tokens side by side"), el("p", { class: "muted" }, pinned ? "Now open another token." : "Keep this one, then open another."), pin);
    const cosine = el("span", {});
    fill(pair, el("h2", {}, "Two tokens side by side"),
      el("div", { class: "row three" }, [[draw.glyph(pinned.glyph, visible(pinned.text)), "first"], [draw.difference(pinned.glyph, chosen.glyph, "Where they differ"), "both"], [draw.glyph(chosen.glyph, visible(chosen.text)), "second"]].map(([canvas, name]) => el("figure", { class: name }, canvas))),
      el("p", { class: "muted" }, el("b", { class: "first" }, `only ${visible(pinned.text)}`), ", ", el("b", { class: "second" }, `only ${visible(chosen.text)}`), ", black in both. ", cosine),
      draw.heat(chosen.vector.map((value, i) => pinned.vector[i] - value), Math.min(chosen.vector.length, 64), "The difference of their numbers"), pin);
    post(`/v1/models/${encodeURIComponent(model)}/embeddings/similarity`, { tokens: [pinned.id, chosen.id] })
      .then(answer => { cosine.textContent = `Cosine ${answer.matrix[0][1].toFixed(4)}.`; }, error.show);
  }

  /** The same text in every other model. */
  async function showAcross() {
    const mine = chosen;
    const rows = await Promise.all(ids.map(async id => {
      try {
        const [facts, found] = await Promise.all([describeTable(id), mine.text ? lookup(id, mine.text) : { data: [] }]);
        const [same] = found.data.length === 1 ? found.data : [];
        return { id, what: facts.fingerprint === table.fingerprint && facts.fingerprint ? "the same table" : `${facts.source}, ${facts.dimensions} numbers`, token: same ? `#${same.id}` : `${found.data.length} tokens` };
      } catch (fault) {
        return { id, what: fault.message, token: "–" };
      }
    }));
    if (mine !== chosen) return;
    fill(across, el("h2", {}, "In other models"), el("table", {}, el("caption", { class: "hidden" }, "The same text in every model"),
      el("thead", {}, el("tr", {}, ["Model", "Reads", "As"].map(name => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(row => el("tr", {}, el("th", { scope: "row" }, row.id), el("td", {}, row.what), el("td", {}, row.token))))));
  }

  async function showMap() {
    const wanted = MAPS[mapChoice.value];
    try {
      const letters = Array.isArray(wanted) ? wanted.flatMap(name => letter(RANGES[name])).join(" ") : text.value;
      map = await readMap(model, wanted === null ? "" : `?text=${encodeURIComponent(letters)}`);
      paintMap();
    } catch (fault) {
      map = null;
      fill(mapBox, el("p", { class: "muted" }, fault.message));
    }
  }

  function paintMap() {
    if (!map) return;
    const caption = el("p", { class: "muted", role: "status" }, `${map.points.length} tokens; these two coordinates hold ${Math.round(100 * (map.variance_shown[0] + map.variance_shown[1]))} % of how they differ.`);
    const { canvas, draw: redraw, nearest } = draw.sprites(map.points, `A map of ${map.points.length} tokens by likeness; walk with the arrow keys`);
    let at = 0;
    const look = i => { at = i; redraw(i); caption.textContent = `${visible(map.points[i].text)}, token ${map.points[i].id}`; };
    canvas.addEventListener("pointermove", event => look(nearest(event)));
    canvas.addEventListener("click", event => { look(nearest(event)); open(map.points[at].id); });
    canvas.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) { event.preventDefault(); look((at + step + map.points.length) % map.points.length); }
      if (event.key === "Enter") open(map.points[at].id);
    });
    fill(mapBox, canvas, caption);
  }

  return { end() { clearTimeout(typing); rebuilding?.abort(); }, repaint() { showStrip(); paint(); paintMap(); } };
}

/** The characters of ranges, first and last in turn. */
function letter(bounds) {
  const letters = [];
  for (let i = 0; i < bounds.length; i += 2) for (let code = bounds[i]; code <= bounds[i + 1]; code++) letters.push(String.fromCodePoint(code));
  return letters;
}
