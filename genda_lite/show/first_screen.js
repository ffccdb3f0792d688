// The first screen of the book: a true ocean, satellites that cross it, and the ensemble that knows nothing but what they saw.
// Until the reader touches it, a film of ensembles that were drawn beforehand (`show.scene.film`); then the members run here.

const MEMBERS = 8;
const STEPS = 12; // of the sampler
const GAUSSIAN_STEPS = 4; // any number has the right mean
const FLIGHT = 900, STAY = 2400, LAST = 5000; // ms of the film: a pass, what it changed, and the end
const TURN = 800, FADE = 450; // ms: a member, and the way from one picture to the next
const SENSORS = {
  zos: { instrument: 0.025, unresolved: 0.01 }, // m
  thetao: { instrument: 0.4, unresolved: 0.2 }, // degC
};
const VIEWS = { zos: "Sea level", thetao: "Temperature" };
const TOOLS = ["zos", "thetao"]; // what an altimeter, and a radiometer, measure
const HINT = {
  zos: "Draw across the true ocean, or click on it: a satellite measures sea level along your line.",
  thetao: "Rub the clouds away from the true ocean: between them a satellite measures temperature.",
};
const KEYS = "The arrow keys move a pass, or a gap in the clouds; up and down turn a pass round; the space bar flies it.";

class FirstScreen {
  constructor(film, { folder, title }) {
    Object.assign(this, { film, folder, title, n: film.shape[0] * film.shape[1] });
    this.channel = film.channels[0];
    this.live = false; // whether the reader draws
    this.playing = !still();
    this.stage = this.playing ? 0 : film.stages.length - 1;
    this.clock = 0; // ms since the stage began
    this.turn = 0; // members gone by
    this.shown = null; // what the large map shows, to fade from
    this.fading = 1;
    this.kept = {}; // ensembles of the film, unpacked
    this.drawn = []; // observations: {channel, latitude, longitude, value}
    this.runs = 0;
    this.inks = Object.fromEntries(film.channels.map(({ name, scales }) => [name, palette(scales.field)]));
    this.makeMaps();
    this.makeControls();
  }

  makeMaps() {
    const panel = (name, title) => mapFigure({ name, title, smooth: true }, this.film);
    this.maps = {
      truth: panel("truth", "True ocean"), member: panel("member", "Ensemble"),
      spread: panel("spread", "Spread"), error: panel("error", "Error of mean"), gaussian: panel("gaussian", "Gaussian prior"),
    };
    const { truth, member, ...few } = this.maps;
    this.hand = new Hand(this.film, {
      near: () => this.prepare(), drawn: (stroke) => this.observe(stroke), moved: () => this.paintHand(), say: (words) => this.speaker.say(words),
    });
    truth.canvas.after(this.hand.overlay);
    this.pair = make("div", { class: "pair" }, truth.figure, member.figure);
    this.few = make("div", { class: "few" }, ...Object.values(few).map((map) => map.figure));
    this.bars = make("div", { class: "scales" });
  }

  makeControls() {
    const { film } = this;
    this.line = make("p", { class: "line" });
    this.tools = choice("tool", "Draw", ["Altimeter track", "Gap in the clouds"], (i) => this.takeTool(TOOLS[i]), () => {});
    this.views = choice("view", "Show", film.channels.map((each) => VIEWS[each.name]), (i) => this.showChannel(i), () => {});
    this.play = button("", () => this.press());
    this.back = button("Back to the film", () => this.rewind());
    this.clear = button("Clear", () => this.empty());
    this.progress = make("progress", { max: 1, value: 0, "aria-label": "Assimilation" });
    this.status = make("p", { class: "told" });
    this.speaker = speaker();
    this.parts = [
      make("p", { class: "caption" }, "Left, a true ocean under its satellites. Right, in turn, ",
        `${film.members} oceans that agree with what they saw: what stands still is known.`),
      this.pair, this.few, this.bars,
      make("div", { class: "controls" }, this.tools.row, this.views.row, make("div", { class: "keysrow" }, this.play, this.clear, this.back)),
      make("div", { class: "run" }, this.progress, this.status),
      make("p", { class: "spoken", id: "keys" }, KEYS), this.speaker.line,
    ];
    this.tools.show(0);
    this.views.show(0);
    this.showBars();
  }

  // --- The film ----------------------------------------------------------------------------------------------------------

  /** The ensemble of a stage: {members, gaussian, mean, spread}. */
  async filmed(stage) {
    const { channel, film, n } = this, key = `${channel.name} ${stage}`;
    channel.maps.open ??= Promise.all(["truth", "members", "gaussian"].map(async (name) => {
      const how = { step: channel.step, count: channel.counts[name] };
      const exact = waves(await inflate(channel.maps[name]), how, ...film.shape), { low, high } = channel.scales.field;
      return (map) => exact(map).map((v) => low + v * (high - low));
    }));
    const [truth, members, gaussian] = await channel.maps.open;
    channel.truth ??= truth(0);
    if (!this.kept[key]) {
      const all = new Float32Array(film.members * n);
      for (let m = 0; m < film.members; m++) all.set(members(stage * film.members + m), m * n);
      this.kept[key] = { members: all, gaussian: gaussian(stage), ...summary(all, n) };
    }
    return this.kept[key];
  }

  /** Show a stage of the film, its pass flown or still to fly. */
  async showStage() {
    const { channel, stage } = this, ensemble = await this.filmed(stage);
    if (this.live || stage !== this.stage || channel !== this.channel) return;
    this.show(ensemble);
  }

  /** What stands before the reader: an ensemble; with a fade where it is another one. */
  show(ensemble, fade = true) {
    [this.from, this.fading] = this.ensemble && fade && this.playing ? [this.shown, 0] : [null, 1];
    this.ensemble = ensemble;
    this.paintMaps();
    this.tell();
  }

  /** Before each picture of the screen. */
  tick(now) {
    requestAnimationFrame((next) => this.tick(next));
    const passed = Math.min(100, now - (this.before ?? now)); // a tab that slept goes on where it was
    this.before = now;
    if (!this.playing || !this.near || !this.ensemble) return;
    this.turn += passed / TURN;
    this.fading = Math.min(1, this.fading + passed / FADE);
    if (!this.live) this.roll(passed);
    this.paintMember();
  }

  roll(passed) {
    const { film: { stages } } = this, before = this.clock, flight = this.stage ? FLIGHT : 0;
    this.clock += passed;
    if (this.clock < flight) this.paintHand();
    else if (before < flight) {
      this.paintHand();
      this.showStage();
    } else if (this.clock > flight + (this.stage === stages.length - 1 ? LAST : STAY)) {
      this.clock = 0;
      this.stage = (this.stage + 1) % stages.length;
      if (!this.stage) this.showStage();
      this.paintHand();
      this.tell();
    }
  }

  press() {
    this.playing = !this.playing;
    this.tell();
  }

  /** From what the reader drew back to the film. */
  rewind() {
    this.runs++; // ends what runs
    Object.assign(this, { live: false, results: null, clock: 0, stage: this.playing ? 0 : this.film.stages.length - 1 });
    this.showStage();
    this.paintHand();
    this.tell();
  }

  // --- Observations ------------------------------------------------------------------------------------------------------

  takeTool(tool) {
    this.hand.tool = tool;
    const i = this.film.channels.findIndex(({ name }) => name === tool);
    this.views.show(i);
    this.showChannel(i);
  }

  /** Load what the members need, ahead of being asked for it. */
  prepare() {
    sceneOf(this.folder).catch(() => {});
    sharedEngine(this.folder).then(() => { this.fetched = true; }, () => {});
  }

  /** Away from the film: nothing is observed but what the reader draws. */
  async empty() {
    this.runs++;
    Object.assign(this, { live: true, drawn: [], results: null, stage: 0, clock: 0, busy: "" });
    const stage = await this.filmed(0);
    this.show(stage);
    this.paintHand();
  }

  /** Measure along a stroke, and let the members answer. */
  async observe(stroke) {
    const { hand } = this, { tool } = hand;
    if (!this.live) await this.empty();
    this.busy = this.fetched ? "Assimilating" : "Fetching the ocean and the model (5 MB), once";
    this.tell();
    try {
      this.scene = await sceneOf(this.folder);
    } catch (error) {
      this.fail(error);
      return;
    }
    const { instrument } = SENSORS[tool], field = this.scene.truth[tool];
    const measured = ({ latitude, longitude }) => sampled(this.scene, field, latitude, longitude) + instrument * noise();
    const inside = hand.points(stroke, this.scene.grid, this.drawn).map((at) => ({ ...at, channel: tool, value: measured(at) }))
      .filter(({ value }) => Number.isFinite(value));
    this.drawn.push(...inside);
    if (tool === "zos") hand.ascending = !hand.ascending;
    this.paintHand();
    if (inside.length) await this.run();
    else {
      this.busy = "";
      this.tell("None of this lies in the box. Draw across the true ocean.");
    }
  }

  // --- The members -------------------------------------------------------------------------------------------------------

  get request() {
    const { drawn, scene: { grid, date } } = this;
    const column = (name) => drawn.map((each) => each[name]);
    const error = drawn.map(({ channel }) => Math.hypot(SENSORS[channel].instrument, SENSORS[channel].unresolved));
    const observations = { channel: column("channel"), latitude: column("latitude"), longitude: column("longitude"), value: column("value"), error };
    return { observations, grid, date, members: MEMBERS, steps: STEPS, channels: TOOLS };
  }

  /** Draw the Gaussian members, then those of the diffusion prior, as they take shape. A newer run ends this one. */
  async run() {
    const mine = ++this.runs, over = () => mine !== this.runs, { shape } = this.film;
    this.hand.overlay.dataset.run = "running";
    try {
      const engine = await sharedEngine(this.folder);
      if (over()) return;
      const { request } = this;
      this.results = null;
      let gaussian = null;
      for await (const { step, steps, fields } of engine.assimilate({ ...request, gaussian: true, steps: GAUSSIAN_STEPS })) {
        if (step === steps) gaussian = fields;
      }
      if (over() || !gaussian) return;
      const means = Object.fromEntries(TOOLS.map((name) => [name, turned(summary(gaussian[name], this.n).mean, shape)]));
      for await (const now of engine.assimilate(request)) {
        if (over()) return;
        const members = Object.fromEntries(TOOLS.map((name) => [name, turned(now.fields[name], shape)]));
        this.results = { members, means, done: now.step === now.steps };
        this.progress.value = now.step / now.steps;
        this.busy = now.step < now.steps ? `${several(this.drawn.length, "observation")}, step ${now.step + 1} of ${now.steps}` : "";
        this.note = now.note;
        this.showResults();
      }
      if (over()) return;
      this.hand.overlay.dataset.run = "done";
      this.speaker.say(this.status.textContent);
    } catch (error) {
      if (!over()) this.fail(error);
    }
  }

  showResults() {
    const { members, means } = this.results, name = this.channel.name;
    const stack = members[name];
    this.show({ members: stack, gaussian: means[name], ...summary(stack, this.n) }, this.results.done);
  }

  fail(error) {
    this.busy = "";
    this.hand.overlay.dataset.run = "failed";
    const told = error.name === "InputError" ? error.message : `${error.message}; the film still plays`;
    this.tell(`It could not be computed here: ${told}.`);
  }

  // --- Pictures ----------------------------------------------------------------------------------------------------------

  async showChannel(i) {
    this.channel = this.film.channels[i];
    this.showBars();
    this.shown = null;
    await this.filmed(this.stage); // unpacks the truth, too
    if (this.live && this.results) this.showResults();
    else if (this.live) this.show(await this.filmed(0), false);
    else this.showStage();
    this.paintHand();
  }

  showBars() {
    const { name, scales, units } = this.channel;
    const words = { field: `${VIEWS[name]} (${units})`, spread: `Spread, error (${units})` };
    this.bars.replaceChildren(...Object.entries(words).map(([kind, text]) => colourBar(kind, scales[kind], text)));
  }

  paintMaps() {
    const { channel: { truth, scales, title, units }, ensemble: { mean, spread, gaussian }, maps } = this;
    const error = apart(mean, truth), put = (name, values, scale) => {
      const codes = encoded(values, scale.low, scale.high);
      paint(maps[name].canvas, codes, palette(scale));
      maps[name].canvas.setAttribute("aria-label", `${maps[name].title.textContent}: ${title}, ${extremes(codes, scale, units)}`);
    };
    put("truth", truth, scales.field);
    put("gaussian", gaussian, scales.field);
    put("spread", spread, scales.spread);
    put("error", error, scales.spread);
    const spans = extremes(encoded(mean, scales.field.low, scales.field.high), scales.field, units);
    maps.member.canvas.setAttribute("aria-label", `The ensemble, one member after the other: ${title}, in the mean ${spans}`);
    const say = (map) => withUnits(minus(rootMeanSquare(map).toPrecision(2)), units);
    maps.spread.output.textContent = say(spread);
    maps.error.output.textContent = say(error);
    maps.gaussian.output.textContent = `error ${say(apart(gaussian, truth))}`;
    const { low, high } = scales.field, range = extremes(encoded(truth, low, high), scales.field, units);
    this.hand.overlay.setAttribute("aria-label", `True ocean, to draw observations on: ${title}, ${range}`);
    this.paintMember();
  }

  /** One member after the other; between two, a state of their spread. While they take shape, the first. */
  paintMember() {
    const { ensemble, n, fading, channel: { name, scales: { field } } } = this, { members, mean, first } = ensemble;
    const count = members.length / n, rough = this.live && this.results && !this.results.done;
    const turn = rough ? first : this.turn, i = Math.floor(turn) % count, part = Math.min(1, Math.max(0, (turn % 1) * 2.5 - 1.5));
    const now = [ensemble, i, part, fading];
    if (now.every((value, k) => value === this.painted?.[k])) return; // mostly it stands still
    this.painted = now;
    const [a, b] = [memberOf(members, i, n), memberOf(members, (i + 1) % count, n)], angle = (Math.PI / 2) * part;
    let shown = part ? a.map((v, p) => mean[p] + Math.cos(angle) * (v - mean[p]) + Math.sin(angle) * (b[p] - mean[p])) : a;
    if (fading < 1 && this.from) shown = shown.map((v, p) => this.from[p] + fading * (v - this.from[p]));
    this.shown = shown;
    paint(this.maps.member.canvas, encoded(shown, field.low, field.high), this.inks[name]);
    this.maps.member.title.textContent = rough ? "Taking shape" : `Member ${1 + ((i + Math.round(part)) % count)} of ${count}`;
  }

  /** Observations, and the satellite that flies in the film. */
  paintHand() {
    const { film, hand, channel: { name, scales: { field } } } = this, points = this.live ? [...this.drawn] : [];
    let flying = null;
    if (!this.live) {
      film.stages.slice(1, this.stage + 1).forEach((stage, i) => {
        const now = i + 1 === this.stage && stage.channel === "zos" && this.playing;
        const share = now ? Math.min(1, this.clock / FLIGHT) : 1, count = Math.ceil(share * stage.value.length);
        for (let p = 0; p < count; p++) {
          points.push({ channel: stage.channel, latitude: stage.latitude[p], longitude: stage.longitude[p], value: stage.value[p] });
        }
        if (now && share < 1) flying = points.at(-1);
      });
    }
    const css = (pixel) => `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
    const coloured = (value) => (name === "zos" ? css(this.inks.zos[encoded([value], field.low, field.high)[0]]) : "#fff");
    const alpha = name === "thetao" ? 1 : 0.4; // sea level is seen through clouds
    hand.paint({ points, flying, cloudy: this.live && hand.tool === "thetao", coloured, alpha });
  }

  // --- Words -------------------------------------------------------------------------------------------------------------

  tell(words) {
    const { film: { stages }, stage, live } = this, last = stages.length - 1;
    this.play.textContent = this.playing ? "Pause" : "Play";
    this.clear.hidden = this.back.hidden = !live;
    this.progress.classList.toggle("idle", !live);
    if (!live) {
      const { name, count } = stages[stage];
      this.progress.value = stage / last;
      const now = !stage ? "Nothing is observed yet" : stage === last ? "Temperature between the clouds" : `Pass ${stage} of ${last - 1}, ${name}`;
      this.status.textContent = `${now}: ${several(count, "observation")}. Touch the true ocean to draw your own.`;
      return;
    }
    if (!this.drawn.length) this.progress.value = 0;
    const found = this.drawn.length && this.results ? `${several(this.drawn.length, "observation")}, ${several(MEMBERS, "member")}. ${this.note ?? ""}` : HINT[this.hand.tool];
    this.status.textContent = words ?? (this.busy ? `${this.busy} …` : found);
  }
}

figures("first_screen", async (data, host) => {
  await loadScript(`${data.folder}/film.js`);
  const screen = new FirstScreen(window.gendaPacks.film, data);
  await screen.filmed(screen.stage);
  await screen.showStage();
  new IntersectionObserver((entries) => { screen.near = entries.at(-1).isIntersecting; }).observe(host);
  screen.tick(performance.now());
  return { parts: screen.parts, pictures: [{ draw: () => screen.paintHand() }] };
});
