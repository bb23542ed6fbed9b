// What several models say of one text, recorded whole: from here on the page computes by itself.
import { logits } from "./api.js";
import { blend, decode } from "./mix.js";

/** The members of a model, ensemble or sum, with weights and rule; a model is its own only member. */
export async function castOf(id, known, ensembles) {
  const named = ensembles.find(each => each.name === id);
  if (named) return { id, rule: named.combine, members: named.experts.map(expert => ({ model: expert.model, weight: expert.weight })) };
  const entry = known.find(each => each.id === id);
  const members = entry?.experts ?? (entry ? [id] : id.split("+"));
  return { id, rule: "logits", members: members.map(model => ({ model, weight: 1 })) };
}

/** What each model says before each of the last tokens: rows[model][position]. */
export async function record(models, tokens, last, signal) {
  const distinct = [...new Set(models)];
  const answers = await Promise.all(distinct.map(model => logits(model, tokens.slice(0, -1), last, signal)));
  const rows = new Map(distinct.map((model, i) => [model, decode(answers[i])]));
  return models.map(model => rows.get(model));
}

/** The rows of a cast, mixed as it mixes. */
export function mixed(cast, rowsOf, position) {
  return blend(rowsOf.map(rows => rows[position]), cast.members.map(member => member.weight), cast.rule);
}
