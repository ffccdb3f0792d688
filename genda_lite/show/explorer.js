// Draws the explorers of the page: maps, scores and a chart for the setting of the sliders.
// `explorer.py` writes the data as JSON inside each element that waits and puts the style sheet in the constant below.
(() => {
  "use strict";
  const STYLE = STYLE_SHEET;
  const COLOURS = ["first", "second", "third"];
  const DASHES = ["", "dashed", "dotted"];

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

  /** Text to one byte a value; the inverse of `pack` in explorer.py. */
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const codes = new Uint8Array(await new Response(inflated).arrayBuffer());
    for (let i = 1; i < codes.length; i++) codes[i] += codes[i - 1];
    return codes;
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

  // FOLLOW_THEME

  async function explore(host) {
    const data = JSON.parse(host.querySelector("script").textContent);
    const { dials, panels, scores, channels } = data;
    const [rows, columns] = data.shape;
    const position = Object.fromEntries(dials.map((dial, i) => [dial.name, i]));

    const setting = dials.map((dial) => dial.start); // which step each slider is at
    let axis = 0; // the dial the chart runs along: the one moved last
    let point = null; // the cell under the pointer: {row, column}
    let channel, fields; // the channel shown and its unpacked panels

    /** Place of a setting in a panel's or a score's flat list, which runs over its own dials only. */
    const place = (owner, steps = setting) =>
      owner.dials.reduce((index, name) => {
        const dial = position[name];
        return index * dials[dial].settings.length + steps[dial];
      }, 0);
    const score = (owner, steps) => channel.scores[owner.name][place(owner, steps)];
    const codes = (panel) => {
      const start = place(panel) * rows * columns;
      return fields[panel.name].subarray(start, start + rows * columns);
    };

    // --- the elements, made once -------------------------------------------------------------------------------

    const selector = make("select", { id: "channel" }, ...channels.map((each) => make("option", {}, each.title)));
    const choice = make("div", { class: "control" }, make("label", { for: "channel" }, "Variable"), selector);
    choice.hidden = channels.length < 2;
    const sliders = dials.map((dial, i) => {
      const last = dial.settings.length - 1;
      const id = `dial-${i}`;
      const input = make("input", { type: "range", id, min: 0, max: last, step: 1, value: dial.start });
      const output = make("output", { for: id });
      const label = make("label", { for: id }, dial.title);
      return { input, output, row: make("div", { class: "control" }, label, output, input) };
    });

    const charted = scores.filter((each) => each.units === null); // these share the channel's units, so an axis
    const look = (each) => {
      const i = charted.indexOf(each) % COLOURS.length;
      return { class: `curve ${DASHES[i]}`, style: `--colour: var(--${COLOURS[i]})` };
    };
    const cells = scores.map((each) => make("td", { "data-score": each.name }));
    const table = make("table", {}, ...scores.map((each, i) => {
      const key = draw("svg", { viewBox: "0 0 26 10" }, draw("path", { d: "M0 5H26", ...look(each) }));
      const title = make("th", { scope: "row" }, ...(charted.includes(each) ? [key] : []), each.title);
      return make("tr", {}, title, cells[i]);
    }));
    const chart = draw("svg", { class: "chart", viewBox: "0 0 340 190", role: "img" });

    const maps = panels.map((panel) => {
      const canvas = make("canvas", { width: columns, height: rows, role: "img", "data-panel": panel.name });
      const value = make("output");
      const mark = make("div", { class: "mark", hidden: "" });
      const map = make("div", { class: "map" }, canvas, mark, ...degrees());
      const caption = make("figcaption", {}, make("span", {}, panel.title), value);
      return { panel, canvas, value, mark, figure: make("figure", {}, caption, map) };
    });
    const bars = make("div", { class: "bars" });
    const note = make("p", { class: "note" });

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

    function showMaps() {
      const words = dials.map((dial, i) => dial.words[setting[i]]).join(", ");
      for (const { panel, canvas } of maps) {
        paint(canvas, codes(panel), palette(channel.scales[panel.kind]));
        canvas.setAttribute("aria-label", `${panel.title}: ${channel.title}, ${words}`);
      }
    }

    function showPoint() {
      for (const { panel, value, mark } of maps) {
        mark.hidden = !point;
        value.textContent = "";
        if (!point) continue;
        mark.style.left = `${(100 * (point.column + 0.5)) / columns}%`;
        mark.style.top = `${(100 * (point.row + 0.5)) / rows}%`;
        const scale = channel.scales[panel.kind];
        const code = codes(panel)[point.row * columns + point.column];
        const number = scale.low + ((code - 1) / 254) * (scale.high - scale.low);
        value.textContent = code ? format(number, scale) : "\u2013";
      }
      const along = ([first, last], count, i) => first + ((last - first) * i) / (count - 1);
      const side = (value, [positive, negative]) => `${Math.abs(value).toFixed(2)}°${value < 0 ? negative : positive}`;
      note.textContent = point
        ? `Values at ${side(along(data.latitude, rows, point.row), "NS")}, ` +
          `${side(along(data.longitude, columns, point.column), "EW")}, in ${channel.units || "no units"}`
        : "Point at a map, or tap it, to read every panel there.";
    }

    function showScores() {
      scores.forEach((each, i) => {
        const value = score(each);
        const text = value === null ? "\u2013" : minus(value.toPrecision(3));
        cells[i].textContent = withUnits(text, each.units ?? channel.units);
      });
    }

    function showChart() {
      const [left, right, top, bottom] = [46, 328, 22, 152];
      const dial = dials[axis];
      const last = Math.max(1, dial.settings.length - 1);
      // The axis spans every setting of every dial, so that it stands still while the curves move.
      const highest = Math.max(0, ...charted.flatMap((each) => channel.scores[each.name])) || 1;
      const x = (step) => left + ((right - left) * step) / last;
      const y = (value) => bottom - ((bottom - top) * value) / (1.05 * highest);
      const text = (x, y, anchor, content) => draw("text", { x, y, "text-anchor": anchor }, content);

      const now = setting[axis];
      const parts = [text(left, 12, "start", withUnits("Score,", channel.units))];
      for (const value of ticks(0, highest, 4)) {
        parts.push(draw("path", { class: "rule", d: `M${left} ${y(value)}H${right}` }));
        parts.push(text(left - 6, y(value) + 4, "end", value));
      }
      dial.settings.forEach((value, step) => parts.push(text(x(step), bottom + 16, "middle", value)));
      parts.push(text((left + right) / 2, bottom + 33, "middle", dial.title));
      parts.push(draw("path", { class: "now", d: `M${x(now)} ${top}V${bottom}` }));
      for (const each of charted) {
        const values = dial.settings.map((_, step) => score(each, setting.with(axis, step)));
        const corners = values.flatMap((value, step) => (value === null ? [] : [`${x(step)},${y(value)}`]));
        parts.push(draw("polyline", { points: corners.join(" "), ...look(each) }));
        if (values[now] !== null) {
          parts.push(draw("circle", { ...look(each), class: "dot", cx: x(now), cy: y(values[now]), r: 5 }));
        }
      }
      chart.replaceChildren(...parts);
      chart.setAttribute("aria-label", `${charted.map((each) => each.title).join(" and ")} against ${dial.title}`);
    }

    function showBars() {
      const kinds = Object.entries(channel.scales);
      bars.replaceChildren(...kinds.map(([kind, scale]) => {
        const canvas = make("canvas", { width: 255, height: 1, role: "presentation" });
        paint(canvas, Uint8Array.from({ length: 255 }, (_, i) => i + 1), palette(scale));
        const title = kind === "field" ? channel.title : panels.find((panel) => panel.kind === kind).title;
        const labels = ticks(scale.low, scale.high, 5).map((value) => {
          const across = (100 * (value - scale.low)) / (scale.high - scale.low);
          return make("span", { class: "tick", style: `left: ${across}%` }, minus(`${value}`));
        });
        return make("div", { "data-scale": kind }, channel.units ? `${title} (${channel.units})` : title,
          make("div", { class: "bar" }, canvas, ...labels));
      }), note);
    }

    function show() {
      sliders.forEach(({ input, output }, i) => {
        const words = dials[i].words[setting[i]];
        output.textContent = words;
        input.setAttribute("aria-valuetext", words);
        host.setAttribute(`data-dial-${dials[i].name}`, dials[i].settings[setting[i]]);
      });
      host.dataset.channel = channel.name;
      showMaps();
      showPoint();
      showScores();
      if (charted.length) showChart();
    }

    async function choose(next) {
      host.dataset.gendaExplorer = "loading";
      channel = next;
      const unpacked = await Promise.all(panels.map((panel) => unpack(next.fields[panel.name])));
      if (channel !== next) return; // another one was chosen meanwhile
      fields = Object.fromEntries(panels.map((panel, i) => [panel.name, unpacked[i]]));
      showBars();
      show();
      host.dataset.gendaExplorer = "ready";
    }

    // --- assemble and listen -----------------------------------------------------------------------------------

    selector.addEventListener("change", () => choose(channels[selector.selectedIndex]));
    sliders.forEach(({ input }, i) => input.addEventListener("input", () => {
      setting[i] = input.valueAsNumber;
      axis = i;
      show();
    }));
    for (const { canvas } of maps) {
      const move = (event) => {
        const cell = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
        point = {
          row: cell(event.offsetY, canvas.clientHeight, rows),
          column: cell(event.offsetX, canvas.clientWidth, columns),
        };
        showPoint();
      };
      canvas.addEventListener("pointermove", move);
      canvas.addEventListener("pointerdown", move);
      canvas.addEventListener("pointerleave", (event) => {
        if (event.pointerType !== "mouse") return; // a tapped point stays
        point = null;
        showPoint();
      });
    }

    followTheme(host);
    const layout = make("div", { class: "layout" },
      make("div", { class: "controls" }, choice, ...sliders.map((slider) => slider.row)),
      make("div", { class: "maps" }, ...maps.map((map) => map.figure)),
      bars,
      ...(scores.length ? [table] : []),
      ...(charted.length ? [chart] : []));
    await choose(channels[0]);
    host.attachShadow({ mode: "open" }).append(make("style", {}, STYLE), layout);
  }

  for (const host of document.querySelectorAll("[data-genda-explorer=waiting]")) {
    host.dataset.gendaExplorer = "loading";
    explore(host).catch((error) => {
      host.dataset.gendaExplorer = "failed";
      host.append(`This figure could not be drawn (${error.message}); a current browser is needed.`);
    });
  }
})();
