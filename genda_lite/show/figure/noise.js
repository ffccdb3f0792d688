// One field under noise, and what the network makes of it at every level: chapter 03's first figure, moved by hand.

figures("noise", async (data) => {
  const [truth] = await unpackedFields(data.truth, data), estimates = await unpackedFields(data.estimates, data);
  const white = await unpackedGrain(data.white, data), { low, high } = data.scale;
  const colours = palette(data.scale), said = speaker(), told = make("p", { class: "told" });

  const maps = ["Under noise", "Denoised", "Truth"].map((title, i) =>
    mapFigure({ name: `${i}`, title, smooth: i > 0 }, data));
  const [noisy, denoised, clean] = maps;
  paint(clean.canvas, encoded(truth, low, high), colours);
  clean.canvas.setAttribute("aria-label", `${data.channel}, the truth`);

  const dial = dialOf("Noise σ", [data.levels[0], data.levels.at(-1)], data.levels.length, data.start,
    (v) => `${rounded(v)} std`, true);
  function show(step) {
    const sigma = data.levels[step], strength = Math.hypot(1, sigma), estimate = estimates[step];
    paint(noisy.canvas, encoded(truth.map((v, i) => (v + sigma * white[i]) / strength), low, high), colours);
    paint(denoised.canvas, encoded(estimate, low, high), colours);
    const error = Math.sqrt(estimate.reduce((sum, v, i) => sum + (v - truth[i]) ** 2, 0) / truth.length);
    told.textContent = `The noise has ${rounded(sigma ** 2)} times the variance of the ocean. ` +
      `The network errs by ${error.toFixed(2)} standard deviations.`;
    noisy.canvas.setAttribute("aria-label", `${data.channel} under noise of ${dial.words[step]}`);
    denoised.canvas.setAttribute("aria-label", "The network's estimate of the ocean");
    said.say(told.textContent);
  }
  const noise = lever("sigma", dial, (sigma, step) => show(step));
  show(dial.start);
  const bar = colourBar("field", data.scale, `${data.channel} (std); colours under noise are stretched`);
  return { parts: [noise.row, make("div", { class: "panels" }, ...maps.map((map) => map.figure)), bar, told, said.line] };
});
