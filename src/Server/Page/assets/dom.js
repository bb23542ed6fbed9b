// Elements are made of text and attributes only: nothing that a model or a server wrote is ever parsed as HTML.

/** Makes an element. Properties: attributes by name; `on`, listeners by event; `style`, custom properties and styles by name. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

let fields = 0;

/** A labelled control; `hint` says more below it. */
export function field(label, control, hint) {
  control.id ||= `field-${++fields}`;
  const note = hint ? el("small", { id: `${control.id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control, note);
}

/** A drop-down list of ids. */
export function choice(options, chosen, onChange) {
  const select = el("select", { on: { change: () => onChange?.(select.value) } }, options.map(option => el("option", { value: option }, option)));
  select.value = options.includes(chosen) ? chosen : options[0] ?? "";
  return select;
}

/** Lets the arrow keys walk along a list's children; the one that has the focus is the one that Tab comes back to. */
export const walk = (list, steps = { ArrowRight: 1, ArrowLeft: -1 }) => event => {
  const all = [...list.children], at = all.indexOf(document.activeElement), step = steps[event.key];
  if (!step || at < 0) return;
  event.preventDefault();
  const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
  all[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
};

/** Where an error is told; it is announced, and empty most of the time. */
export function alertBox() {
  const box = el("p", { class: "alert", role: "alert", hidden: true });
  return {
    box,
    show(error) { box.textContent = error.message; box.hidden = false; },
    clear() { box.hidden = true; box.textContent = ""; },
  };
}

/** A token's text, with what cannot be seen made visible. */
export function visible(text) {
  if (text === null || text === undefined) return "∅";
  return text.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/[\u0000-\u001f\u007f-\u009f]/g, "·") || "∅";
}

export const percent = p => p === 0 ? "0 %" : p >= 0.9995 ? "100 %" : p < 0.0005 ? "<0.1 %" : `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)} %`;

export const number = (value, digits = 2) => value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  if (count < 1000) return `${count} B`;
  const unit = count < 1e6 ? ["kB", 1e3] : count < 1e9 ? ["MB", 1e6] : ["GB", 1e9];
  return `${(count / unit[1]).toFixed(1)} ${unit[0]}`;
}

export const count = value => value === null || value === undefined ? "–" : value.toLocaleString("en");
