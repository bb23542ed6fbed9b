// A map of tokens by likeness, drawn with their pictures.
import { el, fill, field, choice, visible } from "./dom.js";
import { map as read } from "./api.js";
import * as draw from "./draw.js";

const RANGES = { Latin: [0x41, 0x5A, 0x61, 0x7A, 0xC0, 0x17F], Cyrillic: [0x410, 0x44F], Greek: [0x391, 0x3A1, 0x3A3, 0x3C9], Kana: [0x3041, 0x30FE] };
const RADICALS = "江河湖海洋流清深池汗 木林松柏桃李杯村板枝 他你作住使信位保休任 说话请谁记认识讲论读 金钱铁银钟针锁错钢铜 打把拉提扶抱推接投指 好妈她姐妹姑娘婚姓如 花草茶药菜苦英荷菊萍 口吃叫吗吧呢哪喝唱吹 问闻间闲闷闹阅阁门闭";
const MAPS = { "Latin, Greek and Cyrillic": ["Latin", "Greek", "Cyrillic"], "Chinese, ten radicals": RADICALS, "Kana and Cyrillic": ["Kana", "Cyrillic"], "The whole vocabulary": null, "The text above": "text" };
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** The part of the page with the map. `text()` is what the user wrote, `open(id)` opens a token. */
export function atlas(text, open) {
  const box = el("div", { class: "map-box" }), which = choice(Object.keys(MAPS), Object.keys(MAPS)[0], () => show(model));
  let model = null, map = null;

  async function show(id) {
    model = id;
    const wanted = MAPS[which.value];
    const letters = wanted === "text" ? text() : Array.isArray(wanted) ? apart(wanted.flatMap(name => lettersOf(RANGES[name]))) : apart([...wanted ?? ""]);
    try {
      map = await read(model, wanted === null ? "" : `?text=${encodeURIComponent(letters)}`);
      if (wanted !== null && wanted !== "text") map.points = map.points.filter(point => /^.$/u.test(point.text)); // no line ends, nothing unknown
      repaint();
    } catch (fault) {
      map = null;
      fill(box, el("p", { class: "muted" }, fault.message));
    }
  }

  function repaint() {
    if (!map) return;
    const { points, variance_shown: [x, y] } = map;
    const caption = el("p", { class: "muted", role: "status" }, `${points.length} tokens; these two coordinates hold ${Math.round(100 * (x + y))} % of how they differ.`);
    const { canvas, draw: redraw, nearest } = draw.sprites(points, `A map of ${points.length} tokens by likeness; walk with the arrow keys, Enter opens`);
    let at = 0;
    const look = i => { at = i; redraw(i); caption.textContent = `${visible(points[i].text)}, token ${points[i].id}`; };
    canvas.addEventListener("pointermove", event => look(nearest(event)));
    canvas.addEventListener("click", event => { look(nearest(event)); open(points[at].id); });
    canvas.addEventListener("keydown", event => {
      if (STEPS[event.key]) { event.preventDefault(); look((at + STEPS[event.key] + points.length) % points.length); }
      if (event.key === "Enter") open(points[at].id);
    });
    fill(box, canvas, caption);
  }

  return {
    show, repaint,
    section: el("section", {}, el("h2", {}, "A map of what looks alike"),
      el("p", { class: "muted" }, "Each token lies where the two numbers in which these tokens differ most put it: what looks alike lies together, whatever the language. Where it is crowded they are moved apart a little. Point at one and click, or walk with the arrow keys."),
      field("Tokens", which), box),
  };
}

/** Line ends, so that letters do not become one token with each other or with a space before them. */
const apart = letters => letters.filter(letter => letter !== " ").join("\n");

/** The characters of ranges, first and last in turn. */
function lettersOf(bounds) {
  const letters = [];
  for (let i = 0; i < bounds.length; i += 2) for (let code = bounds[i]; code <= bounds[i + 1]; code++) letters.push(String.fromCodePoint(code));
  return letters;
}
