// Draws the explorers of the page: maps, scores and a chart for the setting of the controls.
// `static.py` writes the data, inside each element that waits or into a pack of files beside the page, and puts the
// style sheet in the constant below. A pack's files are scripts, which a page may load even when opened from the disk.
(() => {
  "use strict";
  const STYLE = STYLE_SHEET;
  const COLOURS = ["first", "second", "third"];
  const DASHES = ["", "dashed", "dotted"];
  const packs = (window.gendaPacks ??= {}); // address -> content of the files of packs, which they enter themselves

  const maker = (namespace) => (tag, attributes = {}, ...children) => {
    const element = document.createElementNS(namespace, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const make = maker("http://www.w3.org/1999/xhtml");
  const draw = maker("http://www.w3.org/2000/svg");

  const minus = (text) => text.replace("-", "\u2212");
  const withUnits = (text, units) => (units && units !== "1" ? `${text}\u00a0${units}` : text);
  const digits = (value) => {
    if (value === null) return "\u2013";
    return minus(Math.abs(value) < 1000 ? value.toPrecision(3) : value.toFixed(0));
  };

  /** About `count` round numbers between two ends. */
  function ticks(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough);
    const first = Math.ceil(low / step - 1e-6);
    const number = Math.floor(high / step + 1e-6) - first + 1;
    // The round trip through text removes the last digits of 3 * 0.1.
    return Array.from({ length: number }, (_, i) => Number(((first + i) * step).toPrecision(6)));
  }

  /** The numbers 1, 2 and 5 times a power of ten between two positive ends. */
  function logarithmicTicks(low, high) {
    const powers = Array.from({ length: 12 }, (_, i) => 10 ** (i - 4));
    return powers.flatMap((power) => [1, 2, 5].map((factor) => factor * power)).filter((v) => v >= low && v <= high);
  }

  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(inflated).arrayBuffer());
  }

  /** Maps of one byte a value: a function from the number of a map to its codes. The inverse of `pack` in static.py. */
  function bytes(codes, size) {
    for (let i = 1; i < codes.length; i++) codes[i] += codes[i - 1];
    return (map) => codes.subarray(map * size, (map + 1) * size);
  }

  /** Smooth maps, kept as rounded amplitudes of cosines: the same. The inverse of `pack_smooth`. */
  function cosines(planes, { step, count }, rows, columns) {
    const total = planes.length / 2;
    const wave = (n) => Array.from({ length: n }, (_, k) =>
      Float32Array.from({ length: n }, (_, i) => Math.sqrt((k ? 2 : 1) / n) * Math.cos((Math.PI * (i + 0.5) * k) / n)));
    const [vertical, horizontal] = [wave(rows), wave(columns)];
    const squared = (place) => Math.floor(place / columns) ** 2 + (place % columns) ** 2;
    const order = Array.from({ length: rows * columns }, (_, i) => i).sort((a, b) => squared(a) - squared(b) || a - b);
    let [last, codes] = [-1, null];
    return (map) => {
      if (map === last) return codes;
      const half = new Float32Array(rows * columns); // summed over vertical waves: row of the map, horizontal wave
      for (let k = 0; k * count < total; k++) {
        const at = k * count + map;
        const folded = planes[at] + 256 * planes[at + total];
        if (!folded) continue;
        const amplitude = step * (folded % 2 ? -(folded + 1) / 2 : folded / 2);
        const [ky, kx] = [Math.floor(order[k] / columns), order[k] % columns];
        for (let y = 0; y < rows; y++) half[y * columns + kx] += amplitude * vertical[ky][y];
      }
      [last, codes] = [map, new Uint8Array(rows * columns)];
      const line = new Float32Array(columns);
      for (let y = 0; y < rows; y++) {
        line.fill(0);
        for (let kx = 0; kx < columns; kx++) {
          const amplitude = half[y * columns + kx];
          if (amplitude) for (let x = 0; x < columns; x++) line[x] += amplitude * horizontal[kx][x];
        }
        for (let x = 0; x < columns; x++) codes[y * columns + x] = 1 + Math.min(254, Math.max(0, Math.round(254 * line[x])));
      }
      return codes;
    };
  }

  /** The content of a file of a pack, which is loaded once. */
  const arriving = {};
  function fetched(folder, name) {
    const address = `${folder}/${name}`;
    return (arriving[address] ??= new Promise((resolve, reject) => {
      const file = make("script", { src: `${folder}/${name}.js` });
      file.onload = () => resolve(packs[name]);
      file.onerror = () => {
        delete arriving[address];
        reject(new Error(`${name}.js did not arrive`));
      };
      document.head.append(file);
    }));
  }

  /** The 256 colours of a scale, each a pixel as the canvas stores it. */
  function palette(scale) {
    return new Uint32Array(Uint8Array.from(atob(scale.colours), (letter) => letter.charCodeAt(0)).buffer);
  }

  function paint(canvas, codes, colours) {
    const pixels = Uint32Array.from(codes, (code) => colours[code]);
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), canvas.width, canvas.height);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /** Resolves when an element comes near the part of the page that is seen. */
  function approached(element) {
    return new Promise((resolve) => {
      const observer = new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        resolve();
      }, { rootMargin: "600px" });
      observer.observe(element);
    });
  }

  // FOLLOW_THEME

  async function explore(host) {
    const folder = host.dataset.pack;
    if (folder) await approached(host);
    const data = folder ? await fetched(folder, "contents") : JSON.parse(host.querySelector("script").textContent);
    const { dials, panels, scores, channels, against } = data;
    const [rows, columns] = data.shape;
    const position = Object.fromEntries(dials.map((dial, i) => [dial.name, i]));

    const setting = dials.map((dial) => dial.start); // which step each dial is at
    let axis = 0; // the dial the chart runs along where no score is its axis: the one moved last
    let view = data.views[0];
    let point = null; // the cell under the pointer: {row, column}
    let channel, fields; // the channel shown and its unpacked panels
    let wanted = 0; // counts the choices, so that a slow one does not overtake a later one

    /** Place of a setting in a flat list that runs over some of the dials only. */
    const place = (names, steps = setting) =>
      names.reduce((index, name) => index * dials[position[name]].settings.length + steps[position[name]], 0);
    const value = ({ dials: names, values }, steps) => values[place(names, steps)];
    const score = (each, steps) => value(channel.scores[each.name], steps);
    const codes = (panel) => fields[panel.name].map(place(fields[panel.name].dials));
    const words = () => dials
      .flatMap((dial, i) => (dial.own || dial.settings.length < 2 ? [] : [`${dial.title}: ${dial.words[setting[i]]}`]))
      .join(", ");

    // --- the elements, made once -------------------------------------------------------------------------------

    /** Buttons of which one is pressed; the arrow keys move along them. */
    function choice(name, title, options, first, chosen) {
      const inputs = options.map((_, i) => make("input", { type: "radio", name, id: `${name}-${i}`, value: i }));
      inputs[first].checked = true;
      inputs.forEach((input, i) => input.addEventListener("change", () => chosen(i)));
      const buttons = inputs.map((input, i) => make("span", {}, input, make("label", { for: input.id }, options[i])));
      const row = make("fieldset", { class: "control choice" }, make("legend", {}, title),
        make("div", { class: "buttons" }, ...buttons));
      return { row, inputs, say: () => {} };
    }

    function slider(dial, i, chosen) {
      const id = `dial-${i}`;
      const input = make("input", { type: "range", id, min: 0, max: dial.settings.length - 1, step: 1, value: dial.start });
      const output = make("output", { for: id, "aria-live": "off" }); // the control says it itself
      input.addEventListener("input", () => chosen(input.valueAsNumber));
      const say = (text) => {
        output.textContent = text;
        input.setAttribute("aria-valuetext", text);
      };
      return { row: make("div", { class: "control" }, make("label", { for: id }, dial.title), output, input), inputs: [input], say };
    }

    function toggle(dial, i, chosen) {
      const input = make("input", { type: "checkbox", role: "switch", id: `dial-${i}` });
      input.checked = dial.start === 1;
      const output = make("output", { for: input.id, "aria-live": "off" });
      input.addEventListener("change", () => chosen(Number(input.checked)));
      const say = (text) => { output.textContent = text; };
      return { row: make("div", { class: "control toggle" }, make("label", { for: input.id }, dial.title), output, input), inputs: [input], say };
    }

    const selector = make("select", { id: "channel" }, ...channels.map((each) => make("option", {}, each.title)));
    const variable = make("div", { class: "control" }, make("label", { for: "channel" }, "Variable"), selector);
    variable.hidden = channels.length < 2;
    const controls = dials.map((dial, i) => {
      const chosen = (step) => {
        setting[i] = step;
        axis = i;
        refresh(data.split.includes(dial.name)).catch(failed);
      };
      if (dial.kind === "choice") return choice(`dial-${i}`, dial.title, dial.words, dial.start, chosen);
      return (dial.kind === "switch" ? toggle : slider)(dial, i, chosen);
    });
    dials.forEach((dial, i) => { controls[i].row.hidden = dial.settings.length < 2; });
    const views = choice("view", "Show", data.views.map((each) => each.title), 0, (i) => {
      view = data.views[i];
      show();
    });
    views.row.hidden = data.views.length < 2;
    views.row.classList.add("wide");

    const charted = scores.filter((each) => each.units === null); // these share the channel's units, so an axis
    const ratios = scores.filter((each) => each.units === "1" && against); // these have a strip of their own
    const look = (each) => {
      const i = charted.indexOf(each) % COLOURS.length;
      return { class: `curve ${DASHES[i] ?? ""}`, style: `--colour: var(--${COLOURS[i] ?? "ink"})` };
    };
    const cells = scores.map((each) => make("td", { "data-score": each.name }));
    const table = make("table", {}, ...scores.map((each, i) => {
      const key = draw("svg", { viewBox: "0 0 26 10", "aria-hidden": true }, draw("path", { d: "M0 5H26", ...look(each) }));
      const title = make("th", { scope: "row" }, ...([...charted, ...ratios].includes(each) ? [key] : []), each.title);
      return make("tr", {}, title, cells[i]);
    }));
    const chart = draw("svg", { class: "chart", viewBox: `0 0 340 ${ratios.length ? 250 : 190}`, role: "img" });

    const maps = panels.map((panel) => {
      const look = panel.smooth ? { class: "smooth" } : {};
      const canvas = make("canvas", { width: columns, height: rows, role: "img", "data-panel": panel.name, ...look });
      const output = make("output", { "aria-live": "off" }); // five would speak at once
      const title = make("span", {}, panel.title);
      const mark = make("div", { class: "mark", hidden: "" });
      const map = make("div", { class: "map" }, canvas, mark, ...degrees());
      return { panel, canvas, output, title, mark, figure: make("figure", {}, make("figcaption", {}, title, output), map) };
    });
    const grid = make("div", { class: "maps", role: "group", tabindex: 0,
      "aria-label": "Maps. The arrow keys move a point, by one cell with Shift; Escape leaves it." }, ...maps.map((map) => map.figure));
    const bars = make("div", { class: "bars" });
    const note = make("p", { class: "note" });
    const spoken = make("p", { class: "spoken", role: "status" }); // read out once the hand rests

    /** A few labels along the left and lower edge of a map; coordinates are of cell centres, edges half a cell out.
        None stands in the lower left corner, where those of the two edges would meet. */
    function degrees() {
      const label = (kind, [first, last], count, edge, [positive, negative]) => {
        const half = (last - first) / (count - 1) / 2;
        const across = (value) => (value - first + half) / (last - first + 2 * half);
        const corner = (value) => (edge === "left" ? across(value) : 1 - across(value)) < 0.1;
        const shown = ticks(Math.min(first, last), Math.max(first, last), 3).filter((value) => !corner(value));
        return shown.map((value) => make("span", { class: `tick ${kind}`, style: `${edge}: ${100 * across(value)}%` },
          `${Math.abs(value)}°${value < 0 ? negative : positive}`));
      };
      return [
        ...label("longitude", data.longitude, columns, "left", ["E", "W"]),
        ...label("latitude", data.latitude, rows, "top", ["N", "S"]),
      ];
    }

    // --- what changes with the setting -------------------------------------------------------------------------

    const format = (value, { low, high }) => minus(value.toFixed(Math.max(0, Math.ceil(2 - Math.log10(high - low)))));

    const amount = (code, scale) => format(scale.low + ((code - 1) / 254) * (scale.high - scale.low), scale);

    /** The range of a map in words, for those who do not see it. */
    function extremes(shown, scale) {
      const present = shown.filter((code) => code);
      if (!present.length) return "no value";
      const ends = [Math.min, Math.max].map((end) => amount(present.reduce((a, b) => end(a, b)), scale));
      return withUnits(`${ends[0]} to ${ends[1]}`, channel.units);
    }

    function showMaps() {
      for (const { panel, canvas, figure, title } of maps) {
        figure.hidden = !view.panels.includes(panel.name);
        const scale = channel.scales[panel.kind];
        const shown = codes(panel);
        paint(canvas, shown, palette(scale));
        const own = panel.dials.map((name) => dials[position[name]]).filter((dial) => dial.own);
        title.textContent = own.length ? own.map((dial) => dial.words[setting[position[dial.name]]]).join(", ") : panel.title;
        canvas.setAttribute("aria-label", `${title.textContent}: ${channel.title}, ${extremes(shown, scale)}`);
      }
    }

    function showPoint() {
      for (const { panel, output, mark } of maps) {
        mark.hidden = !point;
        output.textContent = "";
        if (!point) continue;
        mark.style.left = `${(100 * (point.column + 0.5)) / columns}%`;
        mark.style.top = `${(100 * (point.row + 0.5)) / rows}%`;
        const scale = channel.scales[panel.kind];
        const code = codes(panel)[point.row * columns + point.column];
        output.textContent = code ? amount(code, scale) : "\u2013";
      }
      const along = ([first, last], count, i) => first + ((last - first) * i) / (count - 1);
      const side = (value, [positive, negative]) => `${Math.abs(value).toFixed(2)}°${value < 0 ? negative : positive}`;
      note.textContent = point
        ? `Values at ${side(along(data.latitude, rows, point.row), "NS")}, ` +
          `${side(along(data.longitude, columns, point.column), "EW")}, in ${channel.units || "no units"}`
        : "Point at a map, tap it, or go there by keyboard, to read every panel at a point.";
    }

    /** Read every panel at a cell, or none. */
    function read(cell) {
      point = cell;
      showPoint();
    }

    function showScores() {
      scores.forEach((each, i) => {
        cells[i].textContent = withUnits(digits(score(each)), each.units ?? channel.units);
      });
    }

    const [left, right, top, bottom] = [46, 328, 22, 152];
    const text = (x, y, anchor, content) => draw("text", { x, y, "text-anchor": anchor }, content);
    const curve = (points, attributes) =>
      draw("polyline", { points: points.map((point) => point.join(",")).join(" "), ...attributes });
    const dot = (each, [cx, cy]) => draw("circle", { ...look(each), class: "dot", cx, cy, r: 5 });

    /** Height of a score; the axis spans every setting of every dial, so that it stands still while the curves move. */
    function vertical(parts) {
      const highest = Math.max(0, ...charted.flatMap((each) => channel.scores[each.name].values)) || 1;
      const y = (value) => bottom - ((bottom - top) * value) / (1.05 * highest);
      for (const value of ticks(0, highest, 4)) {
        parts.push(draw("path", { class: "rule", d: `M${left} ${y(value)}H${right}` }));
        parts.push(text(left - 6, y(value) + 4, "end", value));
      }
      return y;
    }

    /** The scores along one dial. */
    function chartAlong(dial, now) {
      const x = (step) => left + ((right - left) * step) / Math.max(1, dial.settings.length - 1);
      const parts = [text(left, 12, "start", withUnits("Score,", channel.units))];
      const y = vertical(parts);
      dial.settings.forEach((value, step) => parts.push(text(x(step), bottom + 16, "middle", value)));
      parts.push(text((left + right) / 2, bottom + 33, "middle", dial.title));
      parts.push(draw("path", { class: "now", d: `M${x(now)} ${top}V${bottom}` }));
      for (const each of charted) {
        const values = dial.settings.map((_, step) => score(each, setting.with(axis, step)));
        parts.push(curve(values.flatMap((v, step) => (v === null ? [] : [[x(step), y(v)]])), look(each)));
        if (values[now] !== null) parts.push(dot(each, [x(now), y(values[now])]));
      }
      return [parts, `${charted.map((each) => each.title).join(" and ")} against ${dial.title}`];
    }

    /** The scores against another score, such as how sparse the observations are: one curve along the first dial that
        it depends on, and for comparison one of the first score alone for each other setting of its further dials. */
    function chartAgainst() {
      const [first, ...further] = against.dials.map((name) => position[name]);
      const known = against.values.filter((value) => value > 0);
      const [low, high] = [0.9 * Math.min(...known), 1.1 * Math.max(...known)];
      const x = (value) => left + ((right - left) * Math.log(value / low)) / Math.log(high / low);
      const parts = [text(left, 12, "start", withUnits("Score,", channel.units))];
      const y = vertical(parts);
      const foot = ratios.length ? 212 : bottom;
      for (const value of logarithmicTicks(low, high)) {
        parts.push(draw("path", { class: "rule", d: `M${x(value)} ${bottom}v4` }), text(x(value), foot + 16, "middle", value));
        if (ratios.length) parts.push(draw("path", { class: "rule", d: `M${x(value)} ${foot}v4` }));
      }
      parts.push(text((left + right) / 2, foot + 33, "middle", withUnits(`${against.title},`, against.units)));
      const now = x(value(against, setting));
      parts.push(draw("path", { class: "now", d: `M${now} ${top}V${foot}` }));

      const along = (steps) => dials[first].settings.map((_, step) => steps.with(first, step));
      const points = (each, steps, height) => along(steps).flatMap((one) =>
        (score(each, one) === null || !value(against, one) ? [] : [[x(value(against, one)), height(score(each, one))]]));
      for (const dial of further) {
        dials[dial].settings.forEach((_, step) => {
          if (step === setting[dial]) return;
          const others = points(charted[0], setting.with(dial, step), y);
          if (!others.length) return;
          const [endX, endY] = others.reduce((a, b) => (a[0] > b[0] ? a : b));
          const leftwards = endX > (left + right) / 2; // the words stay inside the chart
          parts.push(curve(others, { ...look(charted[0]), class: "curve faint" }));
          parts.push(text(endX + (leftwards ? 0 : 4), endY - 6, leftwards ? "end" : "start", dials[dial].words[step]));
        });
      }
      for (const each of charted) {
        parts.push(curve(points(each, setting, y), look(each)));
        for (const [cx, cy] of points(each, setting, y)) parts.push(draw("circle", { ...look(each), class: "spot", cx, cy, r: 2 }));
        if (score(each) !== null) parts.push(dot(each, [now, y(score(each))]));
      }
      for (const each of ratios) {
        const most = Math.max(1.2, ...channel.scores[each.name].values);
        const height = (v) => foot - ((foot - 168) * v) / most;
        parts.push(draw("path", { class: "rule", d: `M${left} ${height(0)}H${right}M${left} ${height(1)}H${right}` }));
        parts.push(text(left - 6, height(1) + 4, "end", "1"), text(left - 6, height(0) + 4, "end", "0"));
        parts.push(text(left, 164, "start", each.title));
        parts.push(curve(points(each, setting, height), look(each)));
        if (score(each) !== null) parts.push(dot(each, [now, height(score(each))]));
      }
      const said = [...charted, ...ratios].map((each) => each.title).join(", ");
      return [parts, `${said} against ${against.title}; now at ${withUnits(digits(value(against, setting)), against.units)}`];
    }

    function showChart() {
      const [parts, said] = against ? chartAgainst() : chartAlong(dials[axis], setting[axis]);
      chart.replaceChildren(...parts);
      chart.setAttribute("aria-label", said);
    }

    function showBars() {
      const kinds = Object.entries(channel.scales);
      bars.replaceChildren(...kinds.map(([kind, scale]) => {
        const [first, last] = scale.drawn;
        const code = (value) => 1 + Math.round((254 * (value - scale.low)) / (scale.high - scale.low));
        const codes = Uint8Array.from({ length: code(last) - code(first) + 1 }, (_, i) => code(first) + i);
        const canvas = make("canvas", { width: codes.length, height: 1, role: "presentation" });
        paint(canvas, codes, palette(scale));
        const title = kind === "field" ? channel.title : panels.find((panel) => panel.kind === kind).title;
        const labels = ticks(first, last, 5).map((value) => {
          const across = (100 * (value - first)) / (last - first);
          return make("span", { class: "tick", style: `left: ${across}%` }, minus(`${value}`));
        });
        return make("div", { "data-scale": kind }, channel.units ? `${title} (${channel.units})` : title,
          make("div", { class: "bar" }, canvas, ...labels));
      }), note);
    }

    let silence;
    function speak() {
      clearTimeout(silence);
      silence = setTimeout(() => {
        const told = point
          ? maps.flatMap(({ title, output, figure }) => (figure.hidden ? [] : [`${title.textContent} ${output.textContent}`]))
          : scores.map((each, i) => `${each.title} ${cells[i].textContent}`);
        spoken.textContent = `${channel.title}, ${point ? note.textContent : words()}. ${told.join(", ")}.`;
      }, 500);
    }

    function show() {
      controls.forEach(({ say, inputs }, i) => {
        say(dials[i].words[setting[i]]);
        const shown = panels.filter((panel) => view.panels.includes(panel.name));
        const idle = dials[i].own && !shown.some((panel) => panel.dials.includes(dials[i].name));
        for (const input of inputs) input.disabled = idle;
        host.setAttribute(`data-dial-${dials[i].name}`, dials[i].settings[setting[i]]);
      });
      host.dataset.channel = channel.name;
      host.dataset.view = view.title;
      showMaps();
      showPoint();
      showScores();
      if (charted.length) showChart();
      speak();
    }

    /** A panel of a channel, out of the file that holds it: what depends on the dials that split a pack stands apart. */
    async function unpacked(next, panel) {
      const entry = next.fields[panel.name];
      const apart = entry.split ? data.split.map((name) => dials[position[name]].settings[setting[position[name]]]) : [];
      const name = [next.name, ...apart].join("-");
      const chunk = folder ? await fetched(folder, name) : data.chunks[name];
      const raw = await inflate(chunk[panel.name]);
      const size = rows * columns;
      return { dials: entry.dials, map: entry.step ? cosines(raw, entry, rows, columns) : bytes(raw, size) };
    }

    /** Shows the setting, once what it takes has been loaded. */
    async function refresh(load) {
      if (load) {
        const next = channels[selector.selectedIndex];
        const mine = ++wanted;
        host.dataset.gendaExplorer = "loading";
        const all = await Promise.all(panels.map((panel) => unpacked(next, panel)));
        if (mine !== wanted) return; // another choice was made meanwhile
        fields = Object.fromEntries(panels.map((panel, i) => [panel.name, all[i]]));
        channel = next;
        showBars();
      } else if (host.dataset.gendaExplorer === "loading") return; // the setting is shown when what loads is there
      show();
      host.dataset.gendaExplorer = "ready";
    }
    const failed = (error) => {
      host.dataset.gendaExplorer = "ready";
      note.textContent = `This choice could not be shown (${error.message}).`;
    };

    // --- assemble and listen -----------------------------------------------------------------------------------

    selector.addEventListener("change", () => refresh(true).catch(failed));
    for (const { canvas } of maps) {
      const move = (event) => {
        const cell = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
        read({
          row: cell(event.offsetY, canvas.clientHeight, rows),
          column: cell(event.offsetX, canvas.clientWidth, columns),
        });
      };
      canvas.addEventListener("pointermove", move);
      canvas.addEventListener("pointerdown", move);
      canvas.addEventListener("pointerleave", (event) => {
        if (event.pointerType === "mouse") read(null); // a tapped point stays
      });
    }
    grid.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
      if (event.key === "Escape") read(null);
      if (down === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault(); // the page would scroll
      const step = event.shiftKey ? 1 : 4;
      const moved = (from, by, count) => Math.min(count - 1, Math.max(0, from + step * by));
      const from = point ?? { row: rows >> 1, column: columns >> 1 };
      read({ row: moved(from.row, down, rows), column: moved(from.column, right, columns) });
      speak();
    });

    followTheme(host);
    const layout = make("div", { class: "layout", role: "group", "aria-label": data.title },
      make("div", { class: "controls" }, variable, ...controls.map((control) => control.row), views.row),
      grid,
      bars,
      ...(scores.length ? [table] : []),
      ...(charted.length ? [chart] : []),
      spoken);
    await refresh(true);
    host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), layout);
  }

  for (const host of document.querySelectorAll("[data-genda-explorer=waiting]")) {
    host.dataset.gendaExplorer = "loading";
    explore(host).catch((error) => { // most likely a pack that did not arrive
      host.dataset.gendaExplorer = "failed";
      host.append(`It could not be drawn: ${error.message}. A current browser is needed.`);
    });
  }
})();
