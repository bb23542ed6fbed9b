// A model writes: its tokens as they come, each with when it came.
import { complete } from "./api.js";
import { tokensOf } from "./tokens.js";

/**
 * Asks for a completion and hands over every token at once: { id, text, logprob, top, ms }, where ms counts from the call.
 * Returns { prompt: [ids], reason, ms } when the text has ended.
 */
export async function follow(body, signal, take) {
  const begun = performance.now();
  let prompt = [], reason = null;
  for await (const { choices: [piece] } of complete({ ...body, logprobs: 10, return_token_ids: true }, signal)) {
    if (!piece) continue;
    prompt = piece.prompt_token_ids ?? prompt;
    reason = piece.finish_reason ?? reason;
    const ms = performance.now() - begun;
    if (piece.logprobs) tokensOf(piece.logprobs).forEach((token, i) => take({ ...token, id: piece.token_ids[i], ms }));
  }
  return { prompt, reason, ms: performance.now() - begun };
}

/** One writing at a time: `start` stops the one before; `work(signal)` does the writing; its faults go to `failed`. */
export function writer(buttons, failed) {
  let running = null;
  return {
    async start(work) {
      running?.abort();
      const mine = running = new AbortController();
      buttons.stop.disabled = false;
      try {
        await work(mine.signal);
      } catch (fault) {
        const wasStopped = mine.signal.aborted;
        mine.abort(); // what else belongs to it
        failed(wasStopped ? null : fault);
      } finally {
        if (running === mine) { running = null; buttons.stop.disabled = true; }
      }
    },
    stop() { running?.abort(); },
  };
}

/** Ctrl+Enter starts, Esc stops. */
export const keys = (start, stop) => event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); start(); }
  if (event.key === "Escape") stop();
};
