// The chart of an explorer's scores. `shown` is what it needs to know: the dials and the `setting` (the step of each), the
// `axis` (the dial that was moved last), the `channel` and its scores, those in its units (`charted`) and those without
// (`ratios`), and the score to draw them `against`, if any.

const COLOURS = ["first", "second", "third"];
const DASHES = ["", "dashed", "dotted"];
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 328, 22, 152];

/** Place of a setting in a flat list that runs over some of the dials only. */
function place(dials, names, steps) {
  return names.reduce((index, name) => {
    const i = dials.findIndex((dial) => dial.name === name);
    return index * dials[i].settings.length + steps[i];
  }, 0);
}

const valueAt = ({ dials: names, values }, dials, steps) => values[place(dials, names, steps)];

/** Colour and dash of a score: its place among those that are charted. */
function look(each, charted) {
  const i = charted.indexOf(each) % COLOURS.length;
  return { class: `curve ${DASHES[i] ?? ""}`, style: `--colour: var(--${COLOURS[i] ?? "ink"})` };
}

const text = (x, y, anchor, content) => draw("text", { x, y, "text-anchor": anchor }, content);
const curve = (points, attributes) =>
  draw("polyline", { points: points.map((point) => point.join(",")).join(" "), ...attributes });
const circle = (kind, r, [cx, cy], attributes) => draw("circle", { ...attributes, class: kind, cx, cy, r });

/** The largest of many numbers, at least some other. */
const largest = (least, values) => values.reduce((a, b) => Math.max(a, b), least);

function drawChart(chart, shown) {
  const [parts, said] = shown.against ? chartAgainst(shown) : chartAlong(shown);
  chart.replaceChildren(...parts);
  chart.setAttribute("aria-label", said);
}

/** Height of a score; the axis spans every setting of every dial, so that it stands still while the curves move. */
function vertical({ channel, charted }, parts) {
  const highest = largest(0, charted.flatMap((each) => channel.scores[each.name].values)) || 1;
  const y = (value) => BOTTOM - ((BOTTOM - TOP) * value) / (1.05 * highest);
  for (const value of ticks(0, highest, 4)) {
    parts.push(draw("path", { class: "rule", d: `M${LEFT} ${y(value)}H${RIGHT}` }));
    parts.push(text(LEFT - 6, y(value) + 4, "end", value));
  }
  return y;
}

/** The scores along the dial that was moved last. */
function chartAlong(shown) {
  const { dials, setting, axis, channel, charted } = shown;
  const [dial, now] = [dials[axis], setting[axis]];
  const x = (step) => LEFT + ((RIGHT - LEFT) * step) / Math.max(1, dial.settings.length - 1);
  const parts = [text(LEFT, 12, "start", withUnits("Score,", channel.units))];
  const y = vertical(shown, parts);
  dial.settings.forEach((value, step) => parts.push(text(x(step), BOTTOM + 16, "middle", value)));
  parts.push(text((LEFT + RIGHT) / 2, BOTTOM + 33, "middle", dial.title));
  parts.push(draw("path", { class: "now", d: `M${x(now)} ${TOP}V${BOTTOM}` }));
  for (const each of charted) {
    const values = dial.settings.map((_, step) => valueAt(channel.scores[each.name], dials, setting.with(axis, step)));
    parts.push(curve(values.flatMap((v, step) => (v === null ? [] : [[x(step), y(v)]])), look(each, charted)));
    if (values[now] !== null) parts.push(circle("dot", 5, [x(now), y(values[now])], look(each, charted)));
  }
  return [parts, `${charted.map((each) => each.title).join(" and ")} against ${dial.title}`];
}

/** The scores against another score, such as how sparse the observations are: one curve along the first dial that it
    depends on, for comparison faint ones for its further dials, and the ratios in a strip of their own. */
function chartAgainst(shown) {
  const { dials, setting, channel, charted, ratios, against } = shown;
  const known = against.values.filter((value) => value > 0);
  if (!known.length) return [[], ""];
  const [low, high] = [0.9 * Math.min(...known), 1.1 * Math.max(...known)];
  const x = (value) => LEFT + ((RIGHT - LEFT) * Math.log(value / low)) / Math.log(high / low);
  const parts = [text(LEFT, 12, "start", withUnits("Score,", channel.units))];
  const y = vertical(shown, parts);
  const foot = ratios.length ? 212 : BOTTOM;
  parts.push(...horizontal(against, x, [low, high], foot, ratios.length > 0));
  const here = valueAt(against, dials, setting);
  if (here) parts.push(draw("path", { class: "now", d: `M${x(here)} ${TOP}V${foot}` }));

  const first = dials.findIndex((dial) => dial.name === against.dials[0]);
  /** A score along the first dial: where it is known, from the places on the chart of both. */
  const points = (each, steps, height) => dials[first].settings.flatMap((_, step) => {
    const one = steps.with(first, step);
    const [across, score] = [valueAt(against, dials, one), valueAt(channel.scores[each.name], dials, one)];
    return score === null || !across ? [] : [[x(across), height(score)]];
  });
  const now = (each, height) => {
    const score = valueAt(channel.scores[each.name], dials, setting);
    return score === null || !here ? [] : [circle("dot", 5, [x(here), height(score)], look(each, charted))];
  };
  parts.push(...otherCurves(shown, (steps) => points(charted[0], steps, y)));
  for (const each of charted) {
    const along = points(each, setting, y);
    parts.push(curve(along, look(each, charted)));
    parts.push(...along.map((point) => circle("spot", 2, point, look(each, charted))), ...now(each, y));
  }
  for (const each of ratios) {
    const most = largest(1.2, channel.scores[each.name].values);
    const height = (v) => foot - ((foot - 168) * v) / most;
    parts.push(draw("path", { class: "rule", d: `M${LEFT} ${height(0)}H${RIGHT}M${LEFT} ${height(1)}H${RIGHT}` }));
    parts.push(text(LEFT - 6, height(1) + 4, "end", "1"), text(LEFT - 6, height(0) + 4, "end", "0"));
    parts.push(text(LEFT, 164, "start", each.title));
    parts.push(curve(points(each, setting, height), look(each, charted)), ...now(each, height));
  }
  const said = [...charted, ...ratios].map((each) => each.title).join(", ");
  return [parts, `${said} against ${against.title}; now at ${withUnits(digits(here), against.units)}`];
}

/** The logarithmic axis of the score that others are drawn against, at `foot`; and marks above a strip, if there is one. */
function horizontal(against, x, [low, high], foot, strip) {
  const parts = logarithmicTicks(low, high).flatMap((value) => [
    draw("path", { class: "rule", d: `M${x(value)} ${BOTTOM}v4` }),
    text(x(value), foot + 16, "middle", value),
    ...(strip ? [draw("path", { class: "rule", d: `M${x(value)} ${foot}v4` })] : []),
  ]);
  return [...parts, text((LEFT + RIGHT) / 2, foot + 33, "middle", withUnits(`${against.title},`, against.units))];
}

/** Faint curves of the first score alone for the other settings of the further dials that the axis depends on. */
function otherCurves({ dials, setting, charted, against }, points) {
  const further = against.dials.slice(1).map((name) => dials.findIndex((dial) => dial.name === name));
  return further.flatMap((i) => dials[i].words.flatMap((words, step) => {
    const others = step === setting[i] ? [] : points(setting.with(i, step));
    if (!others.length) return [];
    const [endX, endY] = others.reduce((a, b) => (a[0] > b[0] ? a : b));
    const leftwards = endX > (LEFT + RIGHT) / 2; // the words stay inside the chart
    return [
      curve(others, { ...look(charted[0], charted), class: "curve faint" }),
      text(endX + (leftwards ? 0 : 4), endY - 6, leftwards ? "end" : "start", words),
    ];
  }));
}
