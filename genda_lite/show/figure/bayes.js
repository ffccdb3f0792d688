// A measurement of one of two water masses, as chapter 04 has it: {sides, width, value, error}.

const STEPS = 256, DRAWS = 200, WIDTH = 0.07; // of the sampler; of the starts; of the kernel that makes a density of draws

/** prior/samplers.py: noise levels of the variance-preserving schedule, then zero. */
function cosineLevels(steps, least = 1e-3) {
  const levels = Array.from({ length: steps }, (_, i) => {
    const a = Math.cos(Math.acos(Math.sqrt(least)) * (1 - i / steps)) ** 2;
    return Math.sqrt(1 - a ** 2 + least ** 2) / a;
  });
  return [...levels, 0];
}

/** prior/samplers.py: first order and deterministic. */
function euler(denoise, x, sigmas) {
  return x.map((state) => {
    for (let i = 0; sigmas[i + 1]; i++) {
      const estimate = denoise(state, sigmas[i]);
      state = estimate + (sigmas[i + 1] / sigmas[i]) * (state - estimate);
    }
    return denoise(state, sigmas.at(-2));
  });
}

/** posterior/guidance.py: with gamma sigma^2 for what is unknown; or the right variance, as `mmps` has it. */
const sda = (prior, value, error, gamma) => (x, sigma) => {
  const [estimate, covariance] = prior.linearized(x, sigma);
  return estimate + (covariance * (value - estimate)) / (error ** 2 + gamma * sigma ** 2);
};
const mmps = (prior, value, error) => (x, sigma) => {
  const [estimate, covariance] = prior.linearized(x, sigma);
  return estimate + (covariance * (value - estimate)) / (error ** 2 + covariance);
};

/** Quantiles of N(0, 1), by its integral: what a great number of draws would be. */
function normalQuantiles(count) {
  const found = [];
  let [x, below] = [-5, 2.8665e-7];
  const step = 1e-3, height = (v) => Math.exp(-0.5 * v * v) / Math.sqrt(2 * Math.PI);
  for (let i = 0; i < count; i++) {
    const wanted = (i + 0.5) / count;
    while (below < wanted && x < 5) {
      below += (step / 6) * (height(x) + 4 * height(x + step / 2) + height(x + step));
      x += step;
    }
    found.push(x);
  }
  return found;
}

const WHITE = normalQuantiles(DRAWS), SIGMAS = cosineLevels(STEPS);

/** posterior/assimilate.py: from the posterior of optimal interpolation plus noise, down to draws. */
function samplePosterior(prior, value, error, denoise) {
  const gain = prior.spectrum / (prior.spectrum + error ** 2);
  const spread = Math.sqrt(prior.spectrum * (1 - gain) + SIGMAS[0] ** 2);
  return euler(denoise, WHITE.map((white) => gain * value + spread * white), SIGMAS);
}

/** Mean, spread and the share of warm water. */
function summary(draws) {
  const mean = sumOf(draws) / draws.length;
  const variance = sumOf(draws.map((v) => (v - mean) ** 2)) / (draws.length - 1);
  return { mean, spread: Math.sqrt(variance), warm: draws.filter((v) => v > 0).length / draws.length };
}

function summaryOf({ weights, means, variance }) {
  const mean = sumOf(weights.map((w, j) => w * means[j]));
  const spread = Math.sqrt(variance + sumOf(weights.map((w, j) => w * (means[j] - mean) ** 2)));
  return { mean, spread, warm: weights[1] };
}

figures("bayes", (data) => {
  const prior = new MixturePrior(data), ends = [-2.5, 2.5];
  const xs = Array.from({ length: 301 }, (_, i) => ends[0] + ((ends[1] - ends[0]) * i) / 300);
  let { value, error } = data, gamma = 0.1, right = false, draws;
  const said = speaker(), told = make("p", { class: "told" });
  const number = (v) => minus(v.toFixed(2)), percent = (v) => `${Math.round(100 * v)}\u00a0%`;

  const picture = new Picture({
    label: "The prior, the measurement, the exact posterior and the density of the draws",
    x: ends, y: [0, 1.8], tall: (width) => between(0.5 * width, [260, 370]), margins: [22, 10, 40, 40],
    draw(pen) {
      const { weights, means, variance } = exactPosterior(prior, value, error);
      const exact = xs.map((x) => sumOf(weights.map((w, j) => w * normal(x, means[j], variance))));
      const drawn = xs.map((x) => sumOf(draws.map((draw) => normal(x, draw, WIDTH ** 2))) / draws.length);
      pen.axes({ x: "Temperature anomaly (std)", y: "Probability density" });
      pen.band(xs, xs.map(() => 0), xs.map((x) => prior.density(x, 0)), { colour: "quiet", opacity: 0.25 });
      pen.line(xs, xs.map((x) => normal(value, x, error ** 2)), { colour: "ink", width: 1.5, dash: [2, 3] });
      pen.band(xs, xs.map(() => 0), exact, { colour: "first", opacity: 0.3 });
      pen.line(xs, exact, { colour: "first", width: 1.5 });
      pen.line(xs, drawn, { colour: "second", width: 2.5 });
      pen.line([value - error, value + error], [0.05, 0.05], { colour: "third", width: 2 });
      pen.line([value, value], [0, 1.8], { colour: "third", width: 1.5, dash: [5, 4] });
    },
  });

  function drawAnew() {
    draws = samplePosterior(prior, value, error, right ? mmps(prior, value, error) : sda(prior, value, error, gamma));
    const [exact, ours] = [summaryOf(exactPosterior(prior, value, error)), summary(draws)];
    const tell = ({ mean, spread, warm }) => `${number(mean)} ± ${number(spread)}, warm water ${percent(warm)}`;
    told.textContent = `Exact posterior: ${tell(exact)}. Draws: ${tell(ours)}.`;
    said.say(told.textContent);
    strength.inputs[0].disabled = right;
    picture.refresh();
  }
  const changed = beforeNextFrame(drawAnew);

  picture.handle({
    label: "Measurement", along: "x", step: [0.1, 0], kind: "dot third", at: () => [value, 0.05],
    words: () => `${number(value)} standard deviations`,
    moved([x]) {
      value = between(x, [-2, 2]);
      changed();
    },
  });
  picture.handle({
    label: "Error of the measurement", along: "x", step: [0.05, 0], kind: "grip third", at: () => [value + error, 0.05],
    words: () => `plus or minus ${number(error)}`,
    moved([x]) {
      error = between(x - value, [0.1, 1.5]);
      changed();
    },
  });
  const method = choice("method", "Variance taken for what is unknown", ["γσ²", "the denoiser’s own, σ²J"], (i) => {
    right = i === 1;
    changed();
  }, () => {});
  method.show(0);
  const strength = lever("gamma", dialOf("γ", [0.001, 1], 61, gamma, rounded, true), (value) => {
    gamma = value;
    changed();
  });
  const legend = keys([
    { title: "prior", colour: "quiet", dash: "area" }, { title: "measurement and its error", colour: "third", dash: "dot" },
    { title: "likelihood", colour: "ink", dash: [2, 3] }, { title: "exact posterior", colour: "first", dash: "area" },
    { title: "draws", colour: "second" },
  ]);
  drawAnew();
  return {
    parts: [make("div", { class: "controls" }, method.row, strength.row), picture.element, legend, told, said.line],
    pictures: [picture],
  };
});
