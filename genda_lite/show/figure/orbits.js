// Where altimeters measure, day by day: observe/orbits.py, in the page.

const [RADIUS, KM_PER_DEGREE, RADIANS] = [6371, (6371 * Math.PI) / 180, Math.PI / 180];
const DAY = 86400; // s
const NEAR = 25; // km

/** `Orbit.position`: [latitude, longitude] (degrees) under a satellite, so many revolutions after its node.
 *  orbit: {inclination, flattening (times the ellipsoid's radius over the orbit's), node, westward, period}. */
function position(orbit, revolution) {
  const u = 2 * Math.PI * (revolution - Math.floor(revolution)), inclination = orbit.inclination * RADIANS;
  const geocentric = Math.asin(Math.sin(inclination) * Math.sin(u));
  const latitude = geocentric + orbit.flattening * Math.sin(2 * geocentric);
  const longitude = Math.atan2(Math.cos(inclination) * Math.sin(u), Math.cos(u)) / RADIANS;
  return [latitude / RADIANS, orbit.node + longitude - orbit.westward * revolution];
}

/** `ground_track`: [{latitude, longitude, time, track}] within a box, time from 0 to `length` (s). The node was crossed at
 *  `orbit.time` (s). */
function groundTrack(orbit, length, [south, north], [west, east], sampling) {
  const number = (time) => Math.floor((2 * (time - orbit.time)) / orbit.period + 0.5); // of the pass at a time
  const samples = Math.ceil(orbit.period / 2 / sampling), block = Math.max(1, Math.floor(20 / sampling)), found = [];
  const margin = 3 / Math.cos(Math.max(Math.abs(south), Math.abs(north)) * RADIANS);
  const at = (track, sample) => {
    const turned = (track - 0.5) / 2 + (sample * sampling) / orbit.period, [latitude, there] = position(orbit, turned);
    const longitude = west + ((((there - west) % 360) + 360) % 360);
    return { latitude, longitude, time: orbit.time + turned * orbit.period, track };
  };
  const inside = ({ latitude, longitude }, beyond) => latitude >= south - beyond && latitude <= north + beyond &&
    (longitude - west + beyond) % 360 <= east - west + 2 * beyond;
  for (let track = number(0) - 1; track <= number(length) + 1; track++) {
    for (let first = 0; first < samples; first += block) { // every 20 s, 140 km: what comes near at all
      if (!inside(at(track, first), margin)) continue;
      for (let sample = first; sample < Math.min(samples, first + block); sample++) {
        const point = at(track, sample);
        if (inside(point, 0) && point.time >= 0 && point.time < length) found.push(point);
      }
    }
  }
  return found;
}

const place = (latitude, longitude) => {
  const [lat, lon] = [latitude * RADIANS, longitude * RADIANS];
  return [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)].map((v) => RADIUS * v);
};

/** When each cell of a grid is first within 25 km of a point (s), Infinity where it never is. */
function firstSeen(points, latitude, longitude) {
  const seen = new Float64Array(latitude.length * longitude.length).fill(Infinity);
  const cells = latitude.map((lat) => longitude.map((lon) => place(lat, lon)));
  /** The numbers along an axis from which a value is less than some degrees away. */
  const around = (values, value, degrees) => {
    const step = values[1] - values[0], number = (v) => (v - values[0]) / step;
    return [Math.max(0, Math.ceil(number(value - degrees))), Math.min(values.length - 1, Math.floor(number(value + degrees)))];
  };
  for (const point of points) {
    const at = place(point.latitude, point.longitude), reach = (1.05 * NEAR) / KM_PER_DEGREE;
    const [first, last] = around(latitude, point.latitude, reach);
    const [west, east] = around(longitude, point.longitude, reach / Math.cos((Math.abs(point.latitude) + 1) * RADIANS));
    for (let y = first; y <= last; y++) {
      for (let x = west; x <= east; x++) {
        const cell = y * longitude.length + x, there = cells[y][x];
        const apart = (there[0] - at[0]) ** 2 + (there[1] - at[1]) ** 2 + (there[2] - at[2]) ** 2;
        if (point.time < seen[cell] && apart <= NEAR ** 2) seen[cell] = point.time;
      }
    }
  }
  return seen;
}

/** Points in passes, each one line. */
function passes(points) {
  const lines = [];
  points.forEach((point, i) => {
    const before = points[i - 1];
    if (!before || before.track !== point.track || point.time - before.time > 60) lines.push([]);
    lines.at(-1).push(point);
  });
  return lines;
}

figures("orbits", (data) => {
  const { box, wide, days } = data, count = 41;
  const even = ([low, high]) => Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
  const [latitude, longitude] = [even(box.latitude), even(box.longitude)];
  const beyond = ([low, high]) => [low - 2, high + 2]; // so that lines reach the edges
  const known = [];
  /** Lines and coverage of the first missions, worked out when they are first asked for. */
  const flown = () => data.missions.slice(0, number).map((orbit, i) => (known[i] ??= {
    lines: passes(groundTrack(orbit, days * DAY, beyond(wide.latitude), beyond(wide.longitude), 20)),
    seen: firstSeen(groundTrack(orbit, days * DAY, box.latitude, box.longitude, 2), latitude, longitude),
  }));
  let [now, number] = [data.start, data.number];
  const said = speaker(), told = make("p", { class: "told" });
  const seenNow = () => {
    const missions = flown();
    return Array.from({ length: count ** 2 }, (_, i) => missions.some(({ seen }) => seen[i] <= now * DAY));
  };

  const picture = new Picture({
    label: "Ground tracks over the North Atlantic", ...mapOf(wide.latitude, wide.longitude),
    draw(pen) {
      pen.inside((context) => {
        for (const ring of data.land) {
          context.beginPath();
          ring.forEach(([x, y]) => context.lineTo(pen.x(x), pen.y(y)));
          context.fill();
        }
      }, { colour: "line" });
      const edges = (values, scale) => values.map((v) => [-0.5, 0.5].map((half) =>
        Math.round(scale(v + half * (values[1] - values[0])))));
      const [columns, rows] = [edges(longitude, pen.x), edges(latitude, pen.y)];
      pen.inside((context) => seenNow().forEach((yes, i) => {
        const [[left, right], [bottom, top]] = [columns[i % count], rows[Math.floor(i / count)]];
        if (yes) context.fillRect(left, top, right - left, bottom - top);
      }), { colour: "third", opacity: 0.35 });
      for (const { lines } of flown()) {
        const past = lines.filter((line) => line[0].time <= now * DAY);
        past.forEach((line, i) => {
          const part = line.filter((point) => point.time <= now * DAY);
          const [xs, ys] = ["longitude", "latitude"].map((name) => part.map((point) => point[name]));
          const age = now - line[0].time / DAY, newest = i === past.length - 1 && age < 0.2;
          const opacity = newest ? 1 : Math.max(0.15, 1 - age / days);
          pen.line(xs, ys, { colour: newest ? "second" : "first", width: newest ? 2.5 : 1.2, opacity });
          if (newest) pen.dots([xs.at(-1)], [ys.at(-1)], { colour: "second", radius: 4 });
        });
      }
      const [[south, north], [west, east]] = [box.latitude, box.longitude];
      pen.line([west, east, east, west, west], [south, south, north, north, south], { colour: "ink", width: 1.5 });
      pen.degrees();
    },
  });

  function changed() {
    const seen = seenNow(), share = seen.filter(Boolean).length / seen.length;
    const names = data.missions.slice(0, number).map((orbit) => orbit.name).join(", ");
    told.textContent = `${names}: after ${now.toFixed(1)} days a track has passed within ${NEAR} km of ` +
      `${Math.round(100 * share)}\u00a0% of the frame.`;
    said.say(told.textContent);
    picture.refresh();
  }
  const time = dialOf("Day", [0, days], 48 * days + 1, now, (day) => day.toFixed(1));
  const flight = player("day", time, (step) => {
    now = time.settings[step];
    changed();
  }, { seconds: 12, words: ["Fly", "Pause"] });
  const most = data.missions.length;
  const fleet = lever("fleet", dialOf("Altimeters", [1, most], most, number, String), (some) => {
    number = some;
    changed();
  });
  changed();
  return {
    parts: [make("div", { class: "controls" }, flight.row, fleet.row), picture.element,
      keys([{ title: "tracks", colour: "first" }, { title: "the newest", colour: "second" },
        { title: "within 25 km of a track", colour: "third", dash: "area" }]), told, said.line],
    pictures: [picture],
  };
});
