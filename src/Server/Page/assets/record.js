// What several models say of one text, recorded whole: from here on the page computes by itself.
import { logits } from "./api.js";
import { blend, decode } from "./mix.js";

/** What one answer of the server holds at most: rows times vocabulary. */
const MOST_VALUES = 1 << 22;

/** The members of a model, ensemble or sum, with weights and rule; a model is its own only member. */
export function castOf(id, known, ensembles) {
  const named = ensembles.find(each => each.name === id);
  if (named) return { id, rule: named.combine, members: named.experts.map(expert => ({ model: expert.model, weight: expert.weight })) };
  const entry = known.find(each => each.id === id);
  const members = entry?.experts ?? (entry ? [id] : id.split("+"));
  return { id, rule: "logits", members: members.map(model => ({ model, weight: 1 })) };
}

/**
 * What each model says before each of the last tokens, piece by piece as the server answers: yields { from, rows }, where
 * rows[model][i] is what it says before the last tokens' number from + i.
 */
export async function* record(models, tokens, last, vocabulary, signal) {
  const distinct = [...new Set(models)], most = Math.max(1, Math.floor(MOST_VALUES / vocabulary)), first = tokens.length - last;
  for (let from = 0; from < last; from += most) {
    const count = Math.min(most, last - from);
    const answers = await Promise.all(distinct.map(model => logits(model, tokens.slice(0, first + from + count - 1), count, signal)));
    const rows = new Map(distinct.map((model, i) => [model, decode(answers[i])]));
    yield { from, rows: models.map(model => rows.get(model)) };
  }
}

/** The same in one go: rows[model][position]. */
export async function recordAll(models, tokens, last, vocabulary, signal) {
  const all = models.map(() => []);
  for await (const { rows } of record(models, tokens, last, vocabulary, signal)) rows.forEach((own, i) => all[i].push(...own));
  return all;
}

/** The rows of a cast, mixed as it mixes. */
export const mixed = (cast, rows) => blend(rows, cast.members.map(member => member.weight), cast.rule);
