// The explorer whose ensembles are drawn in the page: any number of members, any observing system, and any checkpoint.

const SIZES = [2, 4, 8, 16, 32, 64];
const FACTORS = [0.25, 0.5, 1, 2, 4, 8];
const SYSTEM = ["altimeters", "swot", "cloud", "error", "method", "members"]; // dials that take a new ensemble
const MOST_USED = 1000; // observations, as many as the engine takes
const OFFER = "Any system, any number of members, drawn in your browser.";
const MOST_KEPT = 12; // ensembles to come back to

/** The dials of a pack without their limits: as many settings as the instruments, and the page, have. */
function freed(pack) {
  const known = (name) => pack.dials.find((dial) => dial.name === name);
  const counted = (low, high, step) => Array.from({ length: (high - low) / step + 1 }, (_, i) => low + i * step);
  const dial = (name, settings, words, first) => ({ ...known(name), settings, words: settings.map(words), start: settings.indexOf(first) });
  const members = { name: "members", kind: "slider", title: "Members", own: false };
  return [
    dial("altimeters", counted(0, 7, 1), String, 3),
    known("swot"),
    dial("cloud", counted(0, 100, 5), (v) => `${v} %`, 70),
    dial("error", FACTORS, (v) => ({ 0.5: "half", 1: "as flown", 2: "twice" })[v] ?? `${v} times`, 1),
    { ...known("method"), start: 0 },
    { ...members, settings: SIZES, words: SIZES.map(String), start: SIZES.indexOf(16) },
    dial("member", counted(1, 16, 1), (v) => `Member ${v}`, 1),
  ];
}

/** A source of an explorer (see explorer.js) whose fields come from an engine.
 *
 *  pack: what the pack says of itself. engine: of `live/`. scene: see `sceneOf`. told(words, share): what goes on. changed():
 *  there is more to show. */
class Alive {
  constructor(pack, engine, scene, told, changed) {
    Object.assign(this, { engine, scene, told, changed, kept: new Map(), now: null, runs: 0 });
    const { fields, shape: [, ny, nx] } = engine.prior;
    Object.assign(this, { shape: [ny, nx], n: ny * nx }, windowOf(scene, [ny, nx]));
    const { latitude, longitude } = this.grid, dials = freed(pack);
    const some = pack.channels.filter(({ name }) => fields.includes(name) && this.truth[name]);
    if (!some.length) throw new Error(`the checkpoint draws ${fields.join(", ")}, expected one of ${Object.keys(this.truth).join(", ")}`);
    const empty = (names) => ({
      dials: names, values: Array(names.reduce((all, name) => all * dials.find((dial) => dial.name === name).settings.length, 1)).fill(null),
    });
    this.data = {
      ...pack, dials, split: [],
      latitude: [latitude.at(-1), latitude[0]], longitude: [longitude[0], longitude.at(-1)], shape: this.shape,
      panels: pack.panels.map((panel) => ({ ...panel, dials: panel.name === "member_map" ? ["member"] : [] })),
      scores: pack.scores.map((each) => ({ ...each, dials: SYSTEM })),
      against: { ...pack.against, ...empty(["altimeters", "swot"]) },
      channels: some.map((channel) => ({ ...channel, scores: Object.fromEntries(pack.scores.map(({ name }) => [name, empty(SYSTEM)])) })),
    };
  }

  settingOf(steps) {
    return Object.fromEntries(this.data.dials.map(({ name, settings }, i) => [name, settings[steps[i]]]));
  }

  keyOf(steps) {
    const setting = this.settingOf(steps);
    return SYSTEM.map((name) => setting[name]).join(" ");
  }

  loads(dial) {
    return SYSTEM.includes(dial.name);
  }

  chosen(name) {
    if (name === "members") this.sizeMembers();
  }

  /** As many members to leaf through as there are. */
  sizeMembers() {
    const { explorer, data: { dials } } = this, at = (name) => dials.findIndex((dial) => dial.name === name);
    const count = dials[at("members")].settings[explorer.setting[at("members")]], i = at("member"), [input] = explorer.controls[i].inputs;
    dials[i].settings = Array.from({ length: count }, (_, m) => m + 1);
    dials[i].words = dials[i].settings.map((m) => `Member ${m}`);
    input.max = count - 1;
    explorer.setting[i] = Math.min(explorer.setting[i], count - 1);
  }

  rested() {
    this.run(this.explorer.setting).catch((error) => this.told(error.message, 0, true));
  }

  /** Draw the ensemble of a setting; a newer run ends this one. */
  async run(steps) {
    const key = this.keyOf(steps), { data, grid, engine } = this;
    if (this.now?.key === key && (this.now.running || this.now.done)) return;
    const mine = ++this.runs, over = () => mine !== this.runs, setting = this.settingOf(steps);
    if (this.kept.has(key)) {
      engine.cancel();
      this.now = this.kept.get(key);
      this.told(this.now.words, 1);
      await this.changed();
      return;
    }
    const all = observedBy(this.scene, setting), known = engine.prior.channels;
    const table = rowsOf(all, (i) => known.includes(all.channel[i]) && holds(grid, all.latitude[i], all.longitude[i]));
    const { length } = table.value, used = thinned(table);
    const names = data.channels.map(({ name }) => name), begun = performance.now();
    const now = (this.now = { key, table, running: true, members: null });
    this.told(`Drawing ${several(setting.members, "member")} …`, 0);
    const request = {
      observations: length ? used : null, grid, date: this.scene.date, members: setting.members, gaussian: setting.method === "gaussian", channels: names,
    };
    try {
      for await (const { step, steps: of, fields, note } of engine.assimilate(request)) {
        if (over()) return;
        now.members = Object.fromEntries(names.map((name) => [name, turned(fields[name], this.shape)]));
        now.done = step === of;
        const what = length ? several(length, "observation") : "nothing observed, draws of the prior";
        const took = ((performance.now() - begun) / 1000).toFixed(1);
        const fewer = used === table ? "" : ` ${used.value.length} of them are used: all of sea level, some of temperature.`;
        now.words = `${several(setting.members, "member")}, ${what}: ${now.done ? `drawn here in ${took} s.` : `step ${step} of ${of}.`}${fewer} ${note}`;
        if (now.done) this.learn(now, setting, steps);
        this.told(now.words, step / of);
        await this.changed();
        if (now.done) this.explorer.speaker.say(now.words);
      }
      if (!over() && !now.done) this.told("Another figure of this page has taken over; move a control to draw this again.", 0);
    } finally {
      now.running = false;
    }
    if (now.done) {
      if (this.kept.size === MOST_KEPT) this.kept.delete(this.kept.keys().next().value);
      this.kept.set(key, now);
    }
  }

  /** Fill in the scores of a setting. */
  learn({ members, table }, setting, steps) {
    const { data, n } = this, fill = ({ dials, values }, value) => { values[place(data.dials, dials, steps)] = value; };
    fill(data.against, sparsityOf(table, this.grid));
    for (const channel of data.channels) {
      const found = { ...scoresOf(members[channel.name], turned(this.truth[channel.name], this.shape), n), number: table.value.length };
      for (const { name } of data.scores) fill(channel.scores[name], found[name] ?? null);
    }
  }

  /** The maps of a channel as far as they are drawn; null as long as there are none. */
  async fields(channel, steps) {
    const { now, n, shape } = this;
    if (!now?.members || now.key !== this.keyOf(steps)) return null;
    const { field, spread: width } = channel.scales, code = (values, { low, high }) => encoded(values, low, high);
    const members = now.members[channel.name], truth = turned(this.truth[channel.name], shape), found = summary(members, n);
    const map = (codes) => ({ dials: [], map: () => codes });
    return {
      truth: map(code(truth, field)),
      observations: map(code(this.gridded(now.table, channel.name), field)),
      mean: map(code(found.mean, field)),
      member_map: { dials: ["member"], map: (i) => code(memberOf(members, Math.min(i, members.length / n - 1), n), field) },
      spread: map(code(found.spread, width)),
      mean_error: map(code(apart(found.mean, truth), width)),
    };
  }

  /** Observed values at the nearest cells, NaN elsewhere. */
  gridded(table, channel) {
    const { grid: { latitude, longitude }, shape: [rows, columns], n } = this, cells = new Float32Array(n).fill(NaN);
    const nearest = (values, v) => Math.round((v - values[0]) / (values[1] - values[0]));
    table.channel.forEach((name, i) => {
      if (name !== channel) return;
      cells[(rows - 1 - nearest(latitude, table.latitude[i])) * columns + nearest(longitude, table.longitude[i])] = table.value[i];
    });
    return cells;
  }
}

/** At most `MOST_USED` observations: temperature, which is dense, makes room first. */
function thinned(table) {
  const count = table.value.length, level = table.channel.filter((name) => name === "zos").length, room = MOST_USED - level;
  if (count <= MOST_USED || room <= 0) return table;
  let dense = -1;
  return rowsOf(table, (i) => table.channel[i] === "zos" ||
    Math.floor((++dense * room) / (count - level)) !== Math.floor(((dense - 1) * room) / (count - level)));
}

const holds = ({ latitude, longitude }, lat, lon) =>
  lat >= latitude[0] && lat <= latitude.at(-1) && lon >= longitude[0] && lon <= longitude.at(-1);

/** A row of the controls: buttons, and what goes on; {row, told(words, share, failed)}. */
function liveRow(...buttons) {
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Assimilation" }), status = make("p");
  const row = make("div", { class: "kernel" }, ...buttons, bar, status);
  const told = (words, share, failed = false) => {
    bar.value = share;
    status.textContent = words;
    row.classList.toggle("failed", failed);
  };
  return { row, told };
}

/** A button that opens a file of the reader's own: open(file). */
function picker(words, open) {
  const input = make("input", { type: "file", accept: ".safetensors" });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (file) open(file);
  });
  return make("label", { class: "file" }, words, input);
}

/** Offer to draw ensembles in the page, by the shipped prior or by a reader's checkpoint; whatever fails leaves the pack.
 *
 *  stored: the explorer of the pack, and what the pack says of itself. folder: of engine, prior and scene. */
function offerLive(stored, pack, folder) {
  const { host } = stored;
  let own = null; // the engine of a reader's checkpoint
  const closeOwn = () => {
    own?.close();
    own = null;
  };

  async function opened(file) {
    if (!file) return sharedEngine(folder);
    if (!window.gendaLive) await loadScript(`${folder}/engine.js`);
    const engine = await gendaLive.openEngine({ checkpoint: await file.arrayBuffer(), file: file.name });
    closeOwn();
    own = engine;
    return engine;
  }

  /** Show an explorer in the place of another, at the same setting as far as it has it. */
  function replace(older, newer) {
    newer.setting = newer.data.dials.map(({ name, settings, start }) => {
      const i = older.data.dials.findIndex((dial) => dial.name === name);
      const found = i < 0 ? -1 : settings.indexOf(older.data.dials[i].settings[older.setting[i]]);
      return found < 0 ? start : found;
    });
    newer.view = older.view;
    newer.selector.selectedIndex = Math.max(0, newer.data.channels.findIndex(({ name }) => name === older.channel.name));
    stopFollowing?.();
    stopFollowing = newer.attach();
    newer.layout.querySelector(".kernel :is(button, input)").focus({ preventScroll: true });
  }
  let stopFollowing = null;

  async function start(shown, told, file) {
    told(file ? `Opening ${file.name} …` : "Fetching the model and the ocean, 5 MB, once …", 0);
    try {
      const [engine, scene] = await Promise.all([opened(file), sceneOf(folder)]);
      const back = button("Back to what is stored", () => {
        source.runs++;
        engine.cancel();
        closeOwn();
        replace(explorer, stored);
        offered.told(OFFER, 0);
        stored.refresh(true).catch(stored.failed);
      });
      const source = new Alive(pack, engine, scene, (...now) => row.told(...now), () => explorer.refresh(true));
      const explorer = (source.explorer = new Explorer(host, source));
      const row = liveRow(back, picker("Open a checkpoint …", (chosen) => start(explorer, row.told, chosen)));
      explorer.layout.querySelector(".controls").append(row.row);
      replace(shown, explorer);
      source.sizeMembers();
      host.dataset.computed = file ? file.name : "live";
      await source.run(explorer.setting);
    } catch (error) {
      const sentence = error.message.replace(/\.$/, "");
      const words = error.name === "InputError" ? `${sentence}.` : `It cannot be computed here: ${sentence}. The stored ensemble is shown.`;
      told(words, 0, true);
      shown.speaker.say(words);
    }
  }

  const offered = liveRow(
    button("Compute it live", () => start(stored, offered.told, null)),
    picker("Open a checkpoint …", (file) => start(stored, offered.told, file)),
  );
  offered.told(OFFER, 0);
  stored.layout.querySelector(".controls").append(offered.row);
}
