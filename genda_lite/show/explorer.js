// The explorer: maps, scores and a chart for the setting of its controls. Where the numbers come from is the affair of its
// source: the page (packs.js) or a running kernel (notebook.js). A source has
//   data: what there is, as `static_explorer` describes it
//   loads(dial): whether a move of that dial takes other fields
//   fields(channel, setting): the maps of a channel, panel -> {dials, map}, in time; null as long as there are none
//   chosen(name, value): is told what a control was moved to, and rested(), that the hand has let go of it.

const STYLE = STYLE_SHEET;
const BEAT = 600; // ms that a setting stands while they are played
const NOTHING_READ = "Point at a map, tap it, or go there by keyboard, to read every panel at a point.";
const MAPS_LABEL = "Maps. The arrow keys move a point, by one cell with Shift; Escape leaves it.";

// --- The explorer --------------------------------------------------------------------------------------------------------

class Explorer {
  constructor(host, source) {
    const { data } = source;
    Object.assign(this, { host, source, data });
    this.setting = data.dials.map((dial) => dial.start); // which step each dial is at
    this.axis = 0; // the dial the chart runs along where no score is its axis: the one moved last
    this.view = data.views[0];
    this.point = null; // the cell under the pointer: {row, column}
    this.channel = this.fields = null; // what is shown, and its maps
    this.wanted = 0; // counts the choices, so that a slow one does not overtake a later one
    this.charted = data.scores.filter((each) => each.units === null); // these share the channel's units, so an axis
    this.ratios = data.scores.filter((each) => each.units === "1" && data.against); // these have a strip of their own
    this.failed = (error) => {
      host.dataset.gendaExplorer = "ready";
      this.note.textContent = `This choice could not be shown (${error.message}).`;
    };
    this.makeControls();
    this.makeMaps();
    this.makeScores();
    this.layout = make("div", { class: "layout", role: "group", "aria-label": data.title },
      make("div", { class: "controls" }, this.variable, ...this.controls.map((control) => control.row), this.views.row),
      this.grid,
      this.bars,
      ...(data.scores.length ? [this.table] : []),
      ...(this.charted.length ? [this.chart] : []),
      this.speaker.line);
  }

  makeControls() {
    const { data, source } = this;
    const rested = () => source.rested();
    this.selector = make("select", { id: "channel" }, ...data.channels.map((each) => make("option", {}, each.title)));
    this.variable = make("div", { class: "control" }, make("label", { for: "channel" }, "Variable"), this.selector);
    this.variable.hidden = data.channels.length < 2;
    this.selector.addEventListener("change", () => {
      source.chosen("channel", data.channels[this.selector.selectedIndex].name);
      this.refresh(true).catch(this.failed);
      rested();
    });
    this.controls = data.dials.map((dial, i) => dialControl(dial, i, (step) => this.move(i, step), rested));
    data.dials.forEach((dial, i) => {
      this.controls[i].row.hidden = dial.settings.length < 2;
      if (!dial.own || dial.kind !== "slider") return;
      this.controls[i].row.classList.add("played");
      this.controls[i].row.append(this.player(i));
    });
    this.views = choice("view", "Show", data.views.map((each) => each.title), (i) => {
      this.view = data.views[i];
      source.chosen("view", this.view.title);
      this.showControls();
      if (this.fields) this.show();
    }, rested);
    this.views.row.hidden = data.views.length < 2;
    this.views.row.classList.add("wide");
  }

  makeMaps() {
    const { data } = this;
    this.maps = data.panels.map((panel) => mapFigure(panel, data));
    this.grid = make("div", { class: "maps", role: "group", tabindex: 0, "aria-label": MAPS_LABEL },
      ...this.maps.map((map) => map.figure));
    this.bars = make("div", { class: "bars" });
    this.note = make("p", { class: "note" });
    for (const { canvas } of this.maps) {
      canvas.addEventListener("pointermove", (event) => this.read(this.cellUnder(event, canvas)));
      canvas.addEventListener("pointerdown", (event) => this.read(this.cellUnder(event, canvas)));
      canvas.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "mouse") this.read(null); // a tapped point stays
      });
    }
    this.grid.addEventListener("keydown", (event) => this.step(event));
  }

  makeScores() {
    const { charted, ratios, data: { scores } } = this;
    this.cells = scores.map((each) => make("td", { "data-score": each.name }));
    this.table = make("table", {}, ...scores.map((each, i) => {
      const line = draw("path", { d: "M0 5H26", ...look(each, charted) });
      const key = [...charted, ...ratios].includes(each) ? [draw("svg", { viewBox: "0 0 26 10", "aria-hidden": true }, line)] : [];
      return make("tr", {}, make("th", { scope: "row" }, ...key, each.title), this.cells[i]);
    }));
    this.chart = draw("svg", { class: "chart", viewBox: `0 0 340 ${ratios.length ? 250 : 190}`, role: "img" });
    this.speaker = speaker();
  }

  /** Puts all that was made into the page. */
  attach() {
    const root = this.host.shadowRoot ?? this.host.attachShadow({ mode: "open" });
    root.replaceChildren(make("style", {}, STYLE), this.layout);
    return followTheme(this.host);
  }

  // --- what the hand does ---

  /** A button that goes through the settings of a dial, over and over. */
  player(i) {
    let timer = 0;
    const press = button("Play", () => {
      clearInterval(timer);
      timer = timer ? 0 : setInterval(() => {
        if (press.isConnected) this.move(i, (this.setting[i] + 1) % this.data.dials[i].settings.length);
        else clearInterval(timer);
      }, BEAT);
      press.textContent = timer ? "Stop" : "Play";
    });
    press.setAttribute("aria-label", `Play: ${this.data.dials[i].title}, one after the other`);
    return press;
  }

  move(i, step) {
    const dial = this.data.dials[i];
    this.setting[i] = step;
    this.axis = i;
    this.source.chosen(dial.name, dial.settings[step]);
    this.refresh(this.source.loads(dial)).catch(this.failed);
  }

  cellUnder({ offsetX, offsetY }, { clientWidth, clientHeight }) {
    const [rows, columns] = this.data.shape;
    const cell = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
    return { row: cell(offsetY, clientHeight, rows), column: cell(offsetX, clientWidth, columns) };
  }

  /** The keys that read the maps. */
  step(event) {
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
    if (event.key === "Escape") this.read(null);
    if (down === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault(); // the page would scroll
    const [rows, columns] = this.data.shape;
    const moved = (from, by, count) => Math.min(count - 1, Math.max(0, from + (event.shiftKey ? 1 : 4) * by));
    const from = this.point ?? { row: rows >> 1, column: columns >> 1 };
    this.read({ row: moved(from.row, down, rows), column: moved(from.column, right, columns) });
    this.speak();
  }

  /** Read every panel at a cell, or none. */
  read(cell) {
    this.point = cell;
    if (this.fields) this.showPoint();
  }

  // --- what changes with the setting ---

  /** Shows the setting, once what it takes has been loaded. */
  async refresh(load) {
    this.showControls();
    if (load) {
      const channel = this.data.channels[this.selector.selectedIndex];
      const mine = ++this.wanted;
      this.host.dataset.gendaExplorer = "loading";
      const fields = await this.source.fields(channel, this.setting);
      if (!fields || mine !== this.wanted) return; // not there yet, or another choice was made meanwhile
      Object.assign(this, { channel, fields });
      this.showBars();
    } else if (this.host.dataset.gendaExplorer === "loading") return; // the setting is shown when what loads is there
    this.show();
    this.host.dataset.gendaExplorer = "ready";
  }

  show() {
    this.host.dataset.channel = this.channel.name;
    this.host.dataset.view = this.view.title;
    this.showMaps();
    this.showPoint();
    this.showScores();
    this.speak();
  }

  showControls() {
    const { data: { dials, panels, views }, view } = this;
    this.views.show(views.indexOf(view));
    const shown = panels.filter((panel) => view.panels.includes(panel.name));
    dials.forEach((dial, i) => {
      this.controls[i].show(this.setting[i]);
      const idle = dial.own && !shown.some((panel) => panel.dials.includes(dial.name));
      for (const input of this.controls[i].inputs) input.disabled = idle;
      this.host.setAttribute(`data-dial-${dial.name}`, dial.settings[this.setting[i]]);
    });
  }

  /** The codes of a panel's map, and the scale that they are to be read by; all missing where there is no map. */
  codes(panel) {
    const field = this.fields[panel.name], scale = this.scaleOf(panel), { data: { dials, shape }, setting } = this;
    if (field) return [field.map(place(dials, field.dials, setting)), scale];
    const two = (panel.of ?? []).map((name) => this.values(name));
    if (two.length && two.every(Boolean)) return [encoded(two[0].map((v, p) => Math.abs(v - two[1][p])), scale.low, scale.high), scale];
    return [new Uint8Array(shape[0] * shape[1]), scale];
  }

  scaleOf({ kind }) {
    return this.channel.scales[kind] ?? this.channel.scales.field;
  }

  /** The numbers of a panel's map, as exactly as they are kept; null where there is none. */
  values(name) {
    const field = this.fields[name], { data: { dials, panels }, setting } = this;
    if (!field) return null;
    const map = place(dials, field.dials, setting), scale = this.scaleOf(panels.find((panel) => panel.name === name));
    return field.exact ? field.exact(map).map((v) => scale.low + v * (scale.high - scale.low)) : decoded(field.map(map), scale);
  }

  showMaps() {
    for (const { panel, canvas, figure, title } of this.maps) {
      figure.hidden = !this.view.panels.includes(panel.name);
      const [codes, scale] = this.codes(panel);
      paint(canvas, codes, palette(scale));
      const own = this.data.dials.flatMap((dial, i) =>
        (dial.own && panel.dials.includes(dial.name) ? [dial.words[this.setting[i]]] : []));
      title.textContent = own.join(", ") || panel.title;
      canvas.setAttribute("aria-label", `${title.textContent}: ${this.channel.title}, ${extremes(codes, scale, this.channel.units)}`);
    }
  }

  showPoint() {
    const { point, data, channel } = this;
    const [rows, columns] = data.shape;
    for (const { panel, output, mark } of this.maps) {
      mark.hidden = !point;
      output.textContent = "";
      if (!point) continue;
      mark.style.left = `${(100 * (point.column + 0.5)) / columns}%`;
      mark.style.top = `${(100 * (point.row + 0.5)) / rows}%`;
      const [codes, scale] = this.codes(panel);
      const code = codes[point.row * columns + point.column];
      output.textContent = code ? amount(code, scale) : "\u2013";
    }
    const units = channel.units || "no units";
    this.note.textContent = point ? `Values at ${whereabouts(data, point)}, in ${units}` : NOTHING_READ;
  }

  showScores() {
    const { data: { dials, scores, against }, setting, axis, channel, charted, ratios } = this;
    scores.forEach((each, i) => {
      const score = digits(valueAt(channel.scores[each.name], dials, setting));
      this.cells[i].textContent = withUnits(score, each.units ?? channel.units);
    });
    if (charted.length) drawChart(this.chart, { dials, setting, axis, channel, charted, ratios, against });
  }

  showBars() {
    const { channel, data: { panels } } = this;
    this.bars.replaceChildren(...Object.entries(channel.scales).map(([kind, scale]) => {
      const first = panels.find((panel) => panel.kind === kind), further = panels.filter((panel) => panel.kind === kind && panel.of);
      const title = kind === "field" ? channel.title : [first.title, ...further.map((panel) => panel.title.toLowerCase())].join(", ");
      return colourBar(kind, scale, channel.units ? `${title} (${channel.units})` : title);
    }), this.note);
  }

  /** The setting in words. */
  words() {
    return this.data.dials
      .flatMap((dial, i) => (dial.own || dial.settings.length < 2 ? [] : [`${dial.title}: ${dial.words[this.setting[i]]}`]))
      .join(", ");
  }

  speak() {
    const told = this.point
      ? this.maps.flatMap(({ title, output, figure }) => (figure.hidden ? [] : [`${title.textContent} ${output.textContent}`]))
      : this.data.scores.map((each, i) => `${each.title} ${this.cells[i].textContent}`);
    this.speaker.say(`${this.channel.title}, ${this.point ? this.note.textContent : this.words()}. ${told.join(", ")}.`);
  }
}
