// Optimal interpolation of a few observations on a line, as chapter 01 writes it: {s, length}, m and km.

const [LEFT, RIGHT, POINTS] = [0, 600, 241];
const to = Array.from({ length: POINTS }, (_, i) => LEFT + ((RIGHT - LEFT) * i) / (POINTS - 1));

/** Correlation at a distance (km), Le Traon, Nadal & Ducet (1998). */
function shape(d, length) {
  const r = (3.34 * d) / length;
  return (1 + r + r ** 2 / 6 - r ** 3 / 6) * Math.exp(-r);
}

/** Weights of observations at `at` (m,) for an estimate at each of `to` (n,), and its standard error.
 *  errors: (m,) standard deviations. covariance(d): at a distance. */
function interpolate(errors, at, to, covariance) {
  const between = at.map((a, i) => at.map((b, j) => covariance(Math.abs(a - b)) + (i === j ? errors[i] ** 2 : 0)));
  const solve = cholesky(between);
  const found = to.map((place) => {
    const across = at.map((a) => covariance(Math.abs(a - place))), weights = solve(across);
    return { weights, error: Math.sqrt(Math.max(0, covariance(0) - dot(across, weights))) };
  });
  return { weights: found.map((each) => each.weights), error: found.map((each) => each.error) };
}

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** A function that solves A x = b, for a symmetric positive A. */
function cholesky(matrix) {
  const n = matrix.length, factor = matrix.map(() => new Float64Array(n));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i][j];
      for (let k = 0; k < j; k++) sum -= factor[i][k] * factor[j][k];
      factor[i][j] = i === j ? Math.sqrt(sum) : sum / factor[j][j];
    }
  }
  return (b) => {
    const x = Array.from(b);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i] -= factor[i][k] * x[k];
      x[i] /= factor[i][i];
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i] -= factor[k][i] * x[k];
      x[i] /= factor[i][i];
    }
    return x;
  };
}

figures("interpolation", (data) => {
  const s = 100 * data.s; // cm
  const seen = data.at.map((at, i) => ({ at, value: 100 * data.values[i], error: 100 * data.errors[i] }));
  let [target, length] = [data.target, data.length];
  const top = Math.ceil((2.2 * s) / 10) * 10;
  const said = speaker();
  const told = make("p", { class: "told" });
  const km = (v) => `${Math.round(v)} km`, cm = (v) => minus(`${v.toFixed(1)} cm`);

  function analysis(places) {
    const { weights, error } = interpolate(seen.map((o) => o.error), seen.map((o) => o.at), places,
      (d) => s ** 2 * shape(d, length));
    return { weights, error, mean: weights.map((w) => dot(w, seen.map((o) => o.value))) };
  }

  const curve = new Picture({
    label: "Sea-level anomaly along a line: the observations, the estimate and its error bar",
    x: [LEFT, RIGHT], y: [-top, top], tall: (width) => between(0.45 * width, [230, 330]), margins: [22, 10, 12, 40],
    draw(pen) {
      const { mean, error } = analysis(to);
      pen.axes({ y: "Sea-level anomaly (cm)" });
      for (const sign of [-2, 2]) pen.line([LEFT, RIGHT], [sign * s, sign * s], { colour: "quiet", width: 1, dash: [2, 3] });
      pen.band(to, mean.map((m, i) => m - 2 * error[i]), mean.map((m, i) => m + 2 * error[i]), { colour: "first" });
      pen.line(to, mean, { colour: "first", width: 2.5 });
      pen.line([target, target], [-top, top], { colour: "third", dash: [5, 4], width: 1.5 });
      for (const { at, value, error: e } of seen) {
        pen.line([at, at], [value - e, value + e], { colour: "second" });
        for (const end of [value - e, value + e]) {
          pen.inside((context) => {
            context.beginPath();
            context.moveTo(pen.x(at) - 5, pen.y(end));
            context.lineTo(pen.x(at) + 5, pen.y(end));
            context.stroke();
          }, { colour: "second" });
        }
      }
    },
  });
  const shares = new Picture({
    label: "The weight of each observation in the estimate at the dashed line",
    x: [LEFT, RIGHT], y: [-0.4, 1.05], tall: (width) => between(0.22 * width, [125, 170]), margins: [22, 10, 40, 40],
    draw(pen) {
      const { weights: [weights] } = analysis([target]);
      pen.axes({ x: "Distance (km)", y: "Weight at the dashed line", yCount: 3 });
      pen.line([LEFT, RIGHT], [0, 0], { colour: "quiet", width: 1 });
      pen.line([target, target], [-0.4, 1.05], { colour: "third", dash: [5, 4], width: 1.5 });
      seen.forEach(({ at }, i) => {
        pen.line([at, at], [0, weights[i]], { colour: "second", width: 9 });
        const above = weights[i] >= 0;
        pen.context.textBaseline = "middle";
        pen.text(minus(weights[i].toFixed(2)), at, weights[i], { align: "center", up: above ? 9 : -9 });
      });
    },
  });
  const pictures = [curve, shares];

  function changed() {
    const { weights: [weights], error: [error], mean: [mean] } = analysis([target]);
    const list = weights.map((w) => minus(w.toFixed(2))).join(", ");
    told.textContent = `At ${km(target)}: ${cm(mean)} ± ${cm(error)}. Without observations: 0 ± ${cm(s)}.`;
    said.say(`${told.textContent} Weights: ${list}.`);
    pictures.forEach((picture) => picture.refresh());
  }

  seen.forEach((o, i) => {
    const name = `Observation ${i + 1}`;
    curve.handle({
      label: name, step: [10, 2], at: () => [o.at, o.value],
      words: () => `${cm(o.value)} at ${km(o.at)}`,
      moved([x, y]) {
        [o.at, o.value] = [between(x, [LEFT, RIGHT]), between(y, [-top, top])];
        changed();
      },
    });
    curve.handle({
      label: `Error of observation ${i + 1}`, along: "y", kind: "grip", step: [0, 1], at: () => [o.at, o.value + o.error],
      words: () => `plus or minus ${cm(o.error)}`,
      moved([, y]) {
        o.error = between(y - o.value, [1, top]);
        changed();
      },
    });
  });
  shares.handle({
    label: "Where to estimate", along: "x", step: [10, 0], at: () => [target, -0.4], kind: "dot third",
    words: () => km(target),
    moved([x]) {
      target = between(x, [LEFT, RIGHT]);
      changed();
    },
  });
  const dial = dialOf("Length scale", [50, 500], 91, data.length, km);
  const scale = lever("length", dial, (km) => {
    length = km;
    changed();
  });
  length = dial.settings[dial.start];
  const legend = keys([
    { title: "observation and its error", colour: "second", dash: "dot" }, { title: "estimate", colour: "first" },
    { title: "± 2 standard errors", colour: "first", dash: "area" },
    { title: "± 2 standard deviations beforehand", colour: "quiet", dash: [2, 3] },
  ]);
  changed();
  const controls = make("div", { class: "controls" }, scale.row);
  return { parts: [controls, curve.element, shares.element, legend, told, said.line], pictures };
});
