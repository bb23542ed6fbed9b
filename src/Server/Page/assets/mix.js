// Arithmetic on recorded logits. Means of logits are taken in float32 in the server's own order of operations, so that they are
// the server's to the last bit: first + Σ weight · (other - first).

/** Base64 of little-endian float32 → rows of a vocabulary. */
export function decode(answer) {
  const text = atob(answer.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const values = new Float32Array(bytes.buffer);
  return Array.from({ length: answer.rows }, (_, row) => values.subarray(row * answer.vocab_size, (row + 1) * answer.vocab_size));
}

/** One row of each member → the ensemble's row. Members of weight 0 do not count. */
export function blend(rows, weights, rule) {
  const members = rows.map((row, i) => ({ row, weight: weights[i] })).filter(member => member.weight > 0);
  const total = members.reduce((sum, member) => sum + member.weight, 0);
  const [first, ...others] = members;
  if (!first || others.length === 0) return first?.row ?? null;
  return rule === "probs" ? meanOfProbabilities(members, total) : meanOfLogits(first, others, total);
}

function meanOfLogits(first, others, total) {
  const sum = Float32Array.from(first.row);
  for (const { row, weight } of others) {
    const share = Math.fround(weight / total);
    for (let i = 0; i < sum.length; i++) sum[i] += Math.fround(Math.fround(row[i] - first.row[i]) * share);
  }
  return sum;
}

function meanOfProbabilities(members, total) {
  const sums = members.map(({ row }) => logSum(row));
  const mean = new Float32Array(members[0].row.length);
  for (let i = 0; i < mean.length; i++) {
    let p = 0;
    members.forEach(({ row, weight }, m) => { p += Math.exp(row[i] - sums[m]) * weight / total; });
    mean[i] = Math.log(p) + sums[0];
  }
  return mean;
}

/** The logarithm of the sum of exponentials. */
export function logSum(row) {
  let max = -Infinity, sum = 0;
  for (const logit of row) if (logit > max) max = logit;
  for (const logit of row) sum += Math.exp(logit - max);
  return max + Math.log(sum);
}

/** The index of the largest logit, the lowest among equals. */
export function argmax(row) {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}

/** The likeliest tokens, best first. */
export function top(row, count) {
  const best = [];
  for (let i = 0; i < row.length; i++) {
    if (best.length === count && row[i] <= row[best[count - 1]]) continue;
    let place = best.length;
    while (place > 0 && row[i] > row[best[place - 1]]) place--;
    best.splice(place, 0, i);
    if (best.length > count) best.pop();
  }
  const sum = logSum(row);
  return best.map(id => ({ id, logprob: row[id] - sum, p: Math.exp(row[id] - sum) }));
}

/** Nats. */
export function entropy(row) {
  const sum = logSum(row);
  let h = 0;
  for (const logit of row) h -= Math.exp(logit - sum) * (logit - sum);
  return h;
}

/** Kullback-Leibler divergence of q from p, nats. */
export function divergence(p, q) {
  const [sumP, sumQ] = [logSum(p), logSum(q)];
  let kl = 0;
  for (let i = 0; i < p.length; i++) kl += Math.exp(p[i] - sumP) * (p[i] - sumP - (q[i] - sumQ));
  return Math.max(kl, 0);
}

/** Jensen-Shannon divergence of several rows under weights, nats. */
export function disagreement(rows, weights) {
  const members = rows.map((row, i) => ({ row, weight: weights[i] })).filter(member => member.weight > 0);
  const total = members.reduce((sum, member) => sum + member.weight, 0);
  const sums = members.map(({ row }) => logSum(row));
  let result = 0;
  for (let i = 0; i < rows[0].length; i++) {
    let mean = 0, own = 0;
    members.forEach(({ row, weight }, m) => {
      const log = row[i] - sums[m], p = Math.exp(log) * weight / total;
      mean += p;
      own += p * log;
    });
    if (mean > 0) result += own - mean * Math.log(mean);
  }
  return Math.max(result, 0);
}
