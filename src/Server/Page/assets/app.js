// The frame of the page: which view is shown, the theme, and whether the server is there.
import { el, fill } from "./dom.js";
import { hasKey, models, reach, useKey } from "./api.js";
import { read } from "./state.js";
import { play } from "./play.js";
import { compare } from "./compare.js";
import { ensemble } from "./ensemble.js";
import { glyphs } from "./glyphs.js";
import { server } from "./server.js";

const views = { play, compare, ensemble, glyphs, server };
const titles = { play: "Play", compare: "Compare", ensemble: "Ensemble", glyphs: "Glyphs", server: "Server" };
const main = document.getElementById("main"), banner = document.getElementById("offline");
const RETRY_MS = 1000;

let current = null, currentName = null;
let shown = 0;

/** Shows the view of the address. A view is told the server's models; it returns what ends it, and what paints its pictures anew. */
async function show() {
  const { view, params } = read();
  const name = views[view] ? view : "play";
  const turn = ++shown;
  current?.end?.();
  current = null;
  document.title = `${titles[name]} · Serving`;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.getAttribute("href") === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const known = await models();
    if (turn !== shown) return;
    const root = el("div", { class: `view ${name}` });
    fill(main, root);
    current = views[name](root, params, known) ?? null;
    if (currentName !== null && currentName !== name) arrive();
    currentName = name;
  } catch (fault) {
    if (turn === shown) fill(main, el("h1", {}, titles[name]), el("p", { class: "alert", role: "alert" }, fault.message));
  }
}

/** Another view begins at its top, for the eye and for the keyboard. */
function arrive() {
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

// While the server is away the view stays as it is; a view that could not be shown is, as soon as the server is back.
let away = false;
reach.changed = isThere => {
  if (isThere === !away) return;
  away = !isThere;
  banner.hidden = !away;
  banner.textContent = away ? "The server does not answer. Trying again every second…" : "";
  if (away) setTimeout(retry, RETRY_MS);
};

async function retry() {
  const ready = await fetch("/health/ready").then(response => response.ok, () => false);
  if (!ready) return void setTimeout(retry, RETRY_MS);
  reach.changed(true);
  if (!main.querySelector(".view")) show();
}

// A server with keys: the page asks for one when it is refused.
const keyForm = document.getElementById("key"), keyValue = document.getElementById("key-value"), forget = document.getElementById("forget");
reach.refused = () => {
  keyForm.hidden = false;
  document.getElementById("key-note").textContent = hasKey() ? "The key was not accepted." : "It is kept until you close the tab.";
  keyValue.focus();
};

function setKey(value) {
  useKey(value);
  keyValue.value = "";
  keyForm.hidden = true;
  forget.hidden = !hasKey();
  show();
}

keyForm.addEventListener("submit", event => { event.preventDefault(); setKey(keyValue.value); });
forget.addEventListener("click", () => setKey(""));
forget.hidden = !hasKey();

const theme = document.getElementById("theme");
const themes = ["system", "light", "dark"];

function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  theme.textContent = `Theme: ${name}`;
  localStorage.setItem("theme", name);
}

theme.addEventListener("click", () => {
  setTheme(themes[(themes.indexOf(localStorage.getItem("theme") ?? "system") + 1) % themes.length]);
  current?.repaint?.();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current?.repaint?.());
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", show);
setTheme(themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system");
show();
