// From noise to an ocean: a draw from the prior, step by step.

/** prior/samplers.py, `sde_2m` with eta = 0: the states that its estimates lead through, from the first to the last. */
function states(start, estimates, sigmas) {
  const found = [start];
  for (let i = 0; sigmas[i + 1]; i++) {
    const [x, estimate, previous] = [found[i], estimates[i], estimates[i - 1]];
    const h = Math.log(sigmas[i] / sigmas[i + 1]), gain = 1 - Math.exp(-h);
    const ahead = previous ? (0.5 * h) / Math.log(sigmas[i - 1] / sigmas[i]) : 0;
    found.push(x.map((v, p) => (sigmas[i + 1] / sigmas[i]) * v +
      gain * (estimate[p] + ahead * (estimate[p] - (previous ?? estimate)[p]))));
  }
  return [...found, estimates[found.length - 1]];
}

figures("draw", async (data) => {
  const { scale: { low, high }, sigmas } = data, last = sigmas.length - 1;
  const estimates = await unpackedFields(data.estimates, data), white = await unpackedGrain(data.start, data);
  const passed = states(white.map((v) => Math.hypot(1, sigmas[0]) * v), estimates, sigmas);
  const colours = palette(data.scale), said = speaker(), told = make("p", { class: "told" });

  const maps = ["State", "Denoised"].map((title, i) => mapFigure({ name: `${i}`, title, smooth: i > 0 }, data));
  const dial = {
    title: "Step", settings: sigmas, start: still() ? last : 0,
    words: sigmas.map((sigma, i) => `${i} of ${last}, noise ${rounded(sigma)} std`),
  };
  function show(step) {
    const sigma = sigmas[step], shown = passed[step].map((v) => v / Math.hypot(1, sigma));
    paint(maps[0].canvas, encoded(sigma ? shown : passed[step], low, high), colours);
    paint(maps[1].canvas, encoded(estimates[Math.min(step, last - 1)], low, high), colours);
    maps[0].canvas.setAttribute("aria-label", `The state at noise ${rounded(sigma)}`);
    maps[1].canvas.setAttribute("aria-label", "The network's estimate of the ocean in it");
    told.textContent = sigma
      ? `Noise of ${rounded(sigma)} standard deviations is left.`
      : "An ocean that never was.";
    said.say(told.textContent);
  }
  const time = player("step", dial, show, { seconds: 8, words: ["Play", "Pause"] });
  show(dial.start);
  const bar = colourBar("field", data.scale, `${data.channel} (std); colours of the state are stretched`);
  return { parts: [time.row, make("div", { class: "panels two" }, ...maps.map((map) => map.figure)), bar, told, said.line] };
});
