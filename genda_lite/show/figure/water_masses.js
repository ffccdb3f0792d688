// The denoiser of two water masses, as chapter 03 writes it down: {sides, width}.

figures("water_masses", (data) => {
  const prior = new MixturePrior(data), ends = [-2.5, 2.5];
  const xs = Array.from({ length: 301 }, (_, i) => ends[0] + ((ends[1] - ends[0]) * i) / 300);
  let [noisy, sigma] = [0.4, 0.5];
  const said = speaker(), told = make("p", { class: "told" });
  const number = (v) => minus(v.toFixed(2)), percent = (v) => `${Math.round(100 * v)}\u00a0%`;

  const above = new Picture({
    label: "Probability density of the clean and of the noisy value", x: ends, y: [0, 0.72],
    tall: (width) => between(0.3 * width, [150, 220]), margins: [22, 10, 8, 40],
    draw(pen) {
      pen.axes({ y: "Probability density", yCount: 3 });
      pen.band(xs, xs.map(() => 0), xs.map((x) => prior.density(x, 0)), { colour: "quiet", opacity: 0.3 });
      pen.line(xs, xs.map((x) => prior.density(x, sigma)), { colour: "first" });
      pen.line([noisy, noisy], [0, 1], { colour: "second", width: 1.5, dash: [5, 4] });
    },
  });
  const below = new Picture({
    label: "The denoised value for every noisy value", x: ends, y: [-2, 2],
    tall: (width) => between(0.42 * width, [210, 300]), margins: [22, 10, 40, 40],
    draw(pen) {
      const estimate = prior.denoise(noisy, sigma), gain = prior.spectrum / (prior.spectrum + sigma ** 2);
      pen.axes({ x: "Noisy value (std)", y: "Denoised (std)" });
      pen.line(ends, ends.map((x) => gain * x), { colour: "second", width: 1.5 });
      pen.line(xs, xs.map((x) => prior.denoise(x, sigma)), { colour: "first", width: 2.5 });
      pen.line([noisy, noisy], [-2, 2], { colour: "second", width: 1.5, dash: [5, 4] });
      pen.line([ends[0], noisy], [estimate, estimate], { colour: "first", width: 1.5, dash: [5, 4] });
    },
  });
  const pictures = [above, below];

  function changed() {
    const [estimate, variance] = prior.linearized(noisy, sigma), warm = prior.probabilities(noisy, sigma)[1];
    told.textContent = `${number(noisy)} is warm water with a probability of ${percent(warm)}. ` +
      `Denoised: ${number(estimate)} ± ${number(Math.sqrt(variance))}.`;
    said.say(told.textContent);
    pictures.forEach((picture) => picture.refresh());
  }

  below.handle({
    label: "Noisy value", along: "x", step: [0.1, 0], words: () => number(noisy),
    at: () => [noisy, prior.denoise(noisy, sigma)],
    moved([x]) {
      noisy = between(x, [-2.4, 2.4]);
      changed();
    },
  });
  const dial = dialOf("Noise σ", [0.05, 5], 81, sigma, (v) => `${v.toPrecision(2)} std`, true);
  const noise = lever("sigma", dial, (std) => {
    sigma = std;
    changed();
  });
  const legend = keys([
    { title: "clean water", colour: "quiet", dash: "area" }, { title: "noisy, and the denoiser", colour: "first" },
    { title: "best straight line", colour: "second" },
  ]);
  changed();
  const controls = make("div", { class: "controls" }, noise.row);
  return { parts: [controls, above.element, below.element, legend, told, said.line], pictures };
});
