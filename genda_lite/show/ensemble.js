// Ensembles as pages hold them: physical units, one member after the other, the rows of every map from the north.

/** Maps (count, rows, columns) with their rows in the other order: the engine's come from the south. */
function turned(maps, [rows, columns]) {
  const out = new Float32Array(maps.length);
  for (let row = 0; row < maps.length / columns; row++) {
    const map = Math.floor(row / rows), to = map * rows + (rows - 1 - (row % rows));
    out.set(maps.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}

/** Member i, (n,). */
const memberOf = (members, i, n) => members.subarray(i * n, (i + 1) * n);

/** Mean and spread (n,) of the members that are there, and the number of the first: those that have not come are NaN. */
function summary(members, n) {
  const count = members.length / n, come = [];
  for (let i = 0; i < count; i++) if (!Number.isNaN(members[i * n])) come.push(i * n);
  const mean = new Float32Array(n), spread = new Float32Array(n);
  for (const at of come) for (let p = 0; p < n; p++) mean[p] += members[at + p] / come.length;
  for (const at of come) for (let p = 0; p < n; p++) spread[p] += (members[at + p] - mean[p]) ** 2;
  for (let p = 0; p < n; p++) spread[p] = Math.sqrt(spread[p] / Math.max(1, come.length - 1));
  return { mean, spread, first: come[0] / n };
}

/** How many there are, as people write it: "1 observation", "16 members". */
const several = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

const apart = (a, b) => a.map((v, p) => Math.abs(v - b[p]));
const rootMeanSquare = (map) => Math.sqrt(map.reduce((sum, v) => sum + v * v, 0) / map.length);

/** Scores of an ensemble against the true map, as `verify.scores` has them over all cells: the mean fair CRPS, … */
function scoresOf(members, truth, n) {
  const count = members.length / n, { mean, spread } = summary(members, n), one = new Float32Array(count);
  let crps = 0;
  for (let p = 0; p < n; p++) {
    for (let i = 0; i < count; i++) {
      one[i] = members[i * n + p];
      crps += Math.abs(one[i] - truth[p]) / count / n;
    }
    one.sort();
    for (let i = 0; i < count; i++) crps -= ((2 * i + 1 - count) * one[i]) / (count * (count - 1)) / n;
  }
  const [rmse, width] = [rootMeanSquare(apart(mean, truth)), rootMeanSquare(spread)];
  return { mean_spread: width, rmse, crps, spread_skill: (Math.sqrt((count + 1) / count) * width) / rmse };
}
