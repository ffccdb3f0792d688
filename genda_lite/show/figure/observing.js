// Draw tracks of your own with as many kilometres as real satellites flew, and be told what they are worth: chapter 05.

const KM_PER_DEGREE = (6371 * Math.PI) / 180, MOST = 5; // tracks

/** Kilometres between two places, each [latitude, longitude]. */
function kilometres([south, west], [north, east]) {
  const across = Math.cos((((south + north) / 2) * Math.PI) / 180);
  return KM_PER_DEGREE * Math.hypot(north - south, (east - west) * across);
}

/** Places along a track, `spacing` km apart. */
function along([from, to], spacing) {
  const count = Math.floor(kilometres(from, to) / spacing) + 1;
  return Array.from({ length: count }, (_, i) => {
    const share = count > 1 ? i / (count - 1) : 0;
    return from.map((v, k) => v + share * (to[k] - v));
  });
}

/** What the tracks measure of an ocean (see `sceneOf`): a table of observations. white: a number for each. */
function measured(scene, tracks, { spacing, noise, error }, white) {
  const places = tracks.flatMap((track) => along(track, spacing));
  const values = places.map(([lat, lon], i) => sampled(scene, scene.truth.zos, lat, lon) + noise * white[i % white.length]);
  const [latitude, longitude] = [0, 1].map((k) => places.map((place) => place[k]));
  return { channel: "zos", latitude, longitude, value: values, error };
}

figures("observing", (data) => {
  const { budget, flown, reference, scale: { low, high }, shape: [rows, columns] } = data, n = rows * columns;
  const tracks = structuredClone(data.tracks);
  const [south, north, west, east] = [data.latitude[1], data.latitude[0], ...data.longitude];
  let scene = null, seen = null, ensemble = null, best = null; // ensemble: mean, spread and error, north first
  let runs = 0, shown = false, message = "";
  const said = speaker(), told = make("p", { class: "told" });
  const progress = make("progress", { max: 1, value: 0, "aria-label": "Assimilation" });
  const used = () => tracks.reduce((sum, track) => sum + kilometres(...track), 0);
  const cm = (metres) => `${(100 * metres).toFixed(1)}\u00a0cm`;
  const km = (length) => `${Math.round(length).toLocaleString("en")}\u00a0km`;
  const box = mapOf([south, north], [west, east]);

  const design = new Picture({
    ...box, label: "Your tracks", kind: "design",
    draw(pen) {
      if (shown && scene) pen.map(encoded(turned(scene.truth.zos, data.shape), low, high), columns, palette(data.scale));
      pen.degrees(3);
      pen.line([west, east, east, west, west], [south, south, north, north, south], { colour: "line", width: 2 });
      if (!shown) pen.dots(flown.longitude, flown.latitude, { colour: "quiet", radius: 1.5, opacity: 0.7 });
      for (const track of tracks) {
        const [ys, xs] = [0, 1].map((k) => track.map((place) => place[k]));
        pen.line(xs, ys, { colour: shown ? "#111" : "second", width: 3 });
      }
    },
  });
  const named = (title, picture) => make("figure", {}, make("figcaption", {}, make("span", {}, title)), picture.element);
  const maps = ["Mean of the members", "Spread", "Error of the mean"].map((title, i) => {
    const picture = new Picture({
      ...box, label: title,
      draw(pen) {
        if (ensemble) {
          const scale = i ? data.spread : data.scale;
          pen.map(encoded(ensemble[i], scale.low, scale.high), columns, palette(scale));
        }
        pen.degrees(3);
        if (seen) pen.dots(seen.longitude, seen.latitude, { colour: "#111", radius: 1 });
      },
    });
    return { picture, figure: named(title, picture) };
  });
  const pictures = [design, ...maps.map((map) => map.picture)];
  const refresh = () => pictures.forEach((picture) => picture.refresh());

  function tell() {
    const spent = `Your tracks take ${km(used())} of ${km(budget)}.`;
    const real = `${data.altimeters} real altimeters flew as many in three days: CRPS ${cm(reference.crps)}.`;
    const record = best === null ? "" : ` Your best: ${cm(best)}.`;
    told.textContent = `${spent} ${real} ${message}${record}`;
    said.say(told.textContent);
  }

  async function run() {
    const mine = ++runs, over = () => mine !== runs;
    progress.value = 0;
    message = scene ? "The members are on their way." : "The model and the ocean arrive (5 MB, once).";
    tell();
    try {
      scene ??= await sceneOf(data.folder);
      const engine = await sharedEngine(data.folder);
      if (over()) return;
      start.textContent = "Assimilate again";
      const table = measured(scene, tracks, data, data.white), length = used(), { grid, date } = scene;
      const truth = turned(scene.truth.zos, data.shape);
      const request = { observations: table, grid, date, members: data.members, steps: data.steps, seed: 0, channels: ["zos"] };
      for await (const now of engine.assimilate(request)) {
        if (over()) return;
        const members = turned(now.fields.zos, data.shape), some = summary(members, n);
        progress.value = now.step / now.steps;
        if (!some) continue;
        seen = table;
        results.hidden = bars.hidden = false;
        ensemble = [some.mean, some.spread, apart(some.mean, truth)];
        message = `Step ${now.step} of ${now.steps}.`;
        if (now.step === now.steps) {
          const { crps, rmse } = scoresOf(members, truth, n), gain = 1 - crps / reference.crps;
          best = Math.min(best ?? Infinity, crps);
          message = `Yours, with ${km(length)}: CRPS ${cm(crps)}, ${Math.round(100 * Math.abs(gain))}\u00a0% ` +
            `${gain > 0 ? "better" : "worse"}; error of the mean ${cm(rmse)}.`;
        }
        told.dataset.step = `${now.step}/${now.steps}`;
        tell();
        refresh();
      }
      if (over() || progress.value === 1) return;
      message = "Another figure of this page took over the model. Press the button again.";
      tell();
    } catch (error) {
      if (over()) return;
      message = `It could not be computed here: ${error.message}. The book's own pages can compute it.`;
      tell();
    }
  }
  const start = button("Assimilate", run, { class: "play" });
  const rested = () => { if (ensemble) run(); }; // once it is here, the model answers by itself

  function moveEnd(track, end, [x, y]) {
    const other = tracks[track][1 - end], wanted = [between(y, [south, north]), between(x, [west, east])];
    const left = budget - used() + kilometres(...tracks[track]), length = kilometres(other, wanted);
    const share = length > left ? left / length : 1; // it ends where the kilometres end
    tracks[track][end] = other.map((v, k) => v + share * (wanted[k] - v));
    message = "";
    tell();
    design.refresh();
  }
  function addHandles(track) {
    for (const end of [0, 1]) {
      design.handle({
        label: `Track ${track + 1}, ${end ? "second" : "first"} end`, step: [0.1, 0.1], rested,
        at: () => [tracks[track]?.[end][1] ?? west, tracks[track]?.[end][0] ?? south],
        words: () => {
          const [lat, lon] = tracks[track]?.[end] ?? [south, west];
          return `${lat.toFixed(1)}° N, ${(-lon).toFixed(1)}° W; ${km(budget - used())} left`;
        },
        moved: (at) => moveEnd(track, end, at),
      });
    }
  }
  function showHandles() {
    design.handles.forEach(({ element }, i) => { element.hidden = Math.floor(i / 2) >= tracks.length; });
    more.disabled = tracks.length === MOST || budget - used() < 50;
    fewer.disabled = tracks.length === 1;
  }
  const more = button("One track more", () => {
    const middle = west + ((tracks.length + 0.5) / MOST) * (east - west);
    const length = Math.min(budget - used() - 1, 300) / KM_PER_DEGREE;
    tracks.push([[south + 0.5, middle], [Math.min(north, south + 0.5 + length), middle]]);
    if (design.handles.length < 2 * tracks.length) addHandles(tracks.length - 1);
    message = "";
    showHandles();
    tell();
    refresh();
    rested();
  });
  const fewer = button("One less", () => {
    tracks.pop();
    message = "";
    showHandles();
    tell();
    refresh();
    rested();
  });
  const peek = toggle("truth", { title: "The true sea level", words: ["hidden", "shown"] }, async (step) => {
    shown = Boolean(step);
    peek.show(step);
    try {
      scene ??= await sceneOf(data.folder);
    } catch (error) {
      message = `The ocean did not arrive: ${error.message}.`;
      tell();
    }
    refresh();
  }, () => {});
  peek.show(0);
  tracks.forEach((_, track) => addHandles(track));
  showHandles();
  tell();
  const results = make("div", { class: "panels", hidden: "" }, ...maps.map((map) => map.figure));
  const bars = make("div", { hidden: "" }, colourBar("field", data.scale, "Sea level (m)"),
    colourBar("spread", data.spread, "Spread, error (m)"));
  return {
    parts: [
      make("div", { class: "player tools" }, start, more, fewer, progress), told, design.element,
      keys([{ title: "your tracks", colour: "second" }, { title: "what real altimeters flew", colour: "quiet", dash: "dot" }]),
      results, bars, peek.row, said.line,
    ],
    pictures,
  };
});
