// The explorer of a running kernel, as anywidget loads it. Dials, `channel` and `view` are traits of the widget by these
// names, and move both ways; `frame` holds the maps of one setting, `tried` the scores of all (see widgets.py).

/** A model of anywidget as the source of an explorer (see explorer.js). */
function kernel(model) {
  const data = structuredClone(model.get("contents")); // scores are filled in as they come
  const stepsOf = (setting) => data.dials.map(({ name, settings }) => settings.indexOf(setting[name]));
  const last = data.dials.map((dial) => dial.settings.length - 1);
  const unknown = (dials) => ({ dials, values: Array(1 + place(data.dials, dials, last)).fill(null) });
  const fill = ({ dials, values }, steps, value) => { values[place(data.dials, dials, steps)] = value; };
  Object.assign(data.against, unknown(data.against.dials));
  for (const channel of data.channels) {
    channel.scores = Object.fromEntries(data.scores.map((each) => [each.name, unknown(each.dials)]));
  }

  function learn() {
    for (const { setting, scores } of model.get("tried")) {
      const steps = stepsOf(setting);
      for (const { name, scores: known } of data.channels) {
        for (const each of data.scores) fill(known[each.name], steps, scores[name][each.name]);
        fill(data.against, steps, scores[name][data.against.name]);
      }
    }
  }

  return {
    data,
    loads: () => false, // a change of the model, by whichever side, is followed as a whole
    async fields(channel, steps) {
      learn();
      const { setting, channels } = model.get("frame");
      if (stepsOf(setting).some((step, i) => !data.dials[i].own && step !== steps[i])) return null;
      const { scales, maps } = channels[channel.name];
      channel.scales = scales;
      const field = (name, { buffer, byteOffset, byteLength }) => {
        const { dials } = data.panels.find((panel) => panel.name === name);
        return { dials, map: slices(new Uint8Array(buffer, byteOffset, byteLength), data.shape[0] * data.shape[1]) };
      };
      return Object.fromEntries(Object.entries(maps).map(([name, bytes]) => [name, field(name, bytes)]));
    },
    chosen: (name, value) => model.set(name, value),
    rested: () => model.save_changes(), // a hand that slides over five settings does not ask for five ensembles
  };
}

/** How far the kernel is, and the button that asks for every number of altimeters; and a function that shows it. */
function progressRow(model) {
  const button = make("button", { type: "button", title: "Assimilate for 1 to 7 altimeters" }, "Draw the whole curve");
  const bar = make("progress", { max: 1, "aria-label": "Assimilation" });
  const status = make("p", { role: "status" });
  const row = make("div", { class: "kernel" }, button, bar, status);
  button.addEventListener("click", () => model.send({ wanted: "curve" }));
  const show = () => {
    bar.value = model.get("progress");
    status.textContent = model.get("status");
    row.classList.toggle("failed", model.get("failed"));
  };
  return { row, show };
}

function render({ model, el }) {
  // JupyterLab would take the keys that move a control for its own.
  const host = make("div", { "data-genda-explorer": "loading", "data-lm-suppress-shortcuts": "true" });
  host.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(host);
  const source = kernel(model), explorer = new Explorer(host, source), { data } = source;
  const { row, show } = progressRow(model);
  explorer.layout.querySelector(".controls").append(row);
  const stopFollowing = explorer.attach();

  const follow = () => {
    explorer.setting = data.dials.map((dial) => dial.settings.indexOf(model.get(dial.name)));
    explorer.view = data.views.find((view) => view.title === model.get("view"));
    explorer.selector.selectedIndex = data.channels.findIndex((channel) => channel.name === model.get("channel"));
    explorer.refresh(true).catch(explorer.failed);
  };
  const heard = [...data.dials.map((dial) => dial.name), "channel", "view", "frame", "tried"].map((name) => [name, follow]);
  for (const name of ["progress", "status", "failed"]) heard.push([name, show]);
  for (const [name, act] of heard) model.on(`change:${name}`, act);
  follow();
  show();
  return () => {
    for (const [name, act] of heard) model.off(`change:${name}`, act);
    stopFollowing();
  };
}

export default { render };
