// Maps on canvases of one pixel a cell, their labels and colour bars: what the programs of this folder share.

/** A few labels along the left and lower edge of a map; coordinates are of cell centres, edges half a cell out. None
    stands in the lower left corner, where those of the two edges would meet. */
function degrees({ longitude, latitude, shape: [rows, columns], abstract }) {
  if (abstract) return [];
  const label = (kind, [first, last], count, edge, [positive, negative]) => {
    const half = (last - first) / (count - 1) / 2;
    const across = (value) => (value - first + half) / (last - first + 2 * half);
    const corner = (value) => (edge === "left" ? across(value) : 1 - across(value)) < 0.1;
    const shown = ticks(Math.min(first, last), Math.max(first, last), 3).filter((value) => !corner(value));
    return shown.map((value) => make("span", { class: `tick ${kind}`, style: `${edge}: ${100 * across(value)}%` },
      `${Math.abs(value)}°${value < 0 ? negative : positive}`));
  };
  return [
    ...label("longitude", longitude, columns, "left", ["E", "W"]),
    ...label("latitude", latitude, rows, "top", ["N", "S"]),
  ];
}

function mapFigure(panel, data) {
  const [height, width] = data.shape;
  const smooth = panel.smooth ? { class: "smooth" } : {};
  const canvas = make("canvas", { width, height, role: "img", "data-panel": panel.name, ...smooth });
  const output = make("output", { "aria-live": "off" }); // five would speak at once
  const title = make("span", {}, panel.title);
  const mark = make("div", { class: "mark", hidden: "" });
  const map = make("div", { class: "map" }, canvas, mark, ...degrees(data));
  return { panel, canvas, output, title, mark, figure: make("figure", {}, make("figcaption", {}, title, output), map) };
}

const format = (value, { low, high }) => minus(value.toFixed(Math.max(0, Math.ceil(2 - Math.log10(high - low)))));
const amount = (code, scale) => format(scale.low + ((code - 1) / 254) * (scale.high - scale.low), scale);

/** The range of a map in words, for those who do not see it. */
function extremes(codes, scale, units) {
  const present = codes.filter((code) => code);
  if (!present.length) return "no value";
  const ends = [Math.min, Math.max].map((end) => amount(present.reduce((a, b) => end(a, b)), scale));
  return withUnits(`${ends[0]} to ${ends[1]}`, units);
}

/** Where a cell lies, in words. */
function whereabouts({ latitude, longitude, shape: [rows, columns], abstract }, { row, column }) {
  if (abstract) return `row ${row + 1}, column ${column + 1}`;
  const along = ([first, last], count, i) => first + ((last - first) * i) / (count - 1);
  const side = (value, [positive, negative]) => `${Math.abs(value).toFixed(2)}°${value < 0 ? negative : positive}`;
  return `${side(along(latitude, rows, row), "NS")}, ${side(along(longitude, columns, column), "EW")}`;
}

/** The colours of a scale, between the ends that they span. */
function colourBar(kind, scale, title) {
  const [first, last] = scale.drawn;
  const code = (value) => 1 + Math.round((254 * (value - scale.low)) / (scale.high - scale.low));
  const codes = Uint8Array.from({ length: code(last) - code(first) + 1 }, (_, i) => code(first) + i);
  const canvas = make("canvas", { width: codes.length, height: 1, role: "presentation" });
  paint(canvas, codes, palette(scale));
  const labels = ticks(first, last, 5).map((value) => {
    const across = (100 * (value - first)) / (last - first);
    return make("span", { class: "tick", style: `left: ${across}%` }, minus(`${value}`));
  });
  return make("div", { "data-scale": kind }, title, make("div", { class: "bar" }, canvas, ...labels));
}
