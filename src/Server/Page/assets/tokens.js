// A run of tokens, coloured by how unexpected each was; the one under the pointer or the focus is explained beside it.
import { el, fill, visible, percent, walk } from "./dom.js";

/** 0 for a sure token, 1 for one of a probability below a thousandth. */
const surprise = logprob => Math.min(1, -logprob / Math.log(1000));

/**
 * Shows tokens as they come.
 * `explain(token)` is called with the token that is looked at: { text, logprob, top: [{ text, p }], chosen }.
 */
export function tokenRun(label, explain) {
  const list = el("div", { class: "tokens", role: "listbox", "aria-label": label, "aria-orientation": "horizontal" });
  list.addEventListener("keydown", walk(list, { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }));

  function look(element, token) {
    for (const other of list.querySelectorAll("[aria-selected=true]")) other.setAttribute("aria-selected", "false");
    element.setAttribute("aria-selected", "true");
    explain(token);
  }

  return {
    list,
    clear() { fill(list); },
    add(token) {
      const element = el("span", {
        class: "token", role: "option", "aria-selected": "false", tabindex: list.children.length === 0 ? 0 : -1,
        "data-logprob": token.logprob, "aria-label": visible(token.text), style: { "--surprise": surprise(token.logprob ?? 0).toFixed(3) },
        on: { pointerenter: () => look(element, token), focus: () => look(element, token) },
      }, token.text === "" ? "∅" : token.text);
      list.append(element);
      return element;
    },
  };
}

/** The probabilities in place of a token, as bars. */
export function topBars(top, chosen) {
  return el("ol", { class: "bars" }, top.map(each => el("li", { class: each.text === chosen ? "chosen" : null, "data-p": each.p, style: { "--p": each.p.toFixed(6) } },
    el("span", { class: "bar-text" }, visible(each.text)), el("span", { class: "bar-value" }, percent(each.p)))));
}

/** A completion chunk's log-probabilities as tokens. */
export function tokensOf(logprobs) {
  return logprobs.tokens.map((text, i) => ({
    text, logprob: logprobs.token_logprobs[i],
    top: Object.entries(logprobs.top_logprobs[i] ?? {}).map(([name, logprob]) => ({ text: name, p: Math.exp(logprob) })).sort((a, b) => b.p - a.p),
  }));
}

export const legend = () => el("span", { class: "legend" }, "expected",
  [0, 0.25, 0.5, 0.75, 1].map(level => el("i", { style: { "--surprise": level } })), "surprising");
