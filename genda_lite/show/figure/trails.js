// Drifters, and particles that the analysed current carries from where they were, hour by hour: chapter 06.

const [HOUR, METRES_PER_DEGREE, RADIANS] = [3600, (6371e3 * Math.PI) / 180, Math.PI / 180];
const TAIL = 120; // hours of a trail
const [REAL, CARRIED] = ["#111", "#c2410c"]; // on a map that is light in the dark, too
const SWARM = { count: 24, radius: 0.25, colour: "#0b63b8" }; // particles that the reader releases, degrees around the handle

/** ocean/trajectories.py: fields linear in time, bilinear in space, NaN beyond them.
 *
 *  fields: [u, v], each (days, rows, columns) from the south, one day apart. latitude, longitude: ends, ascending. */
function interpolator([u, v], shape, { latitude, longitude }) {
  const [days, rows, columns] = shape;
  const place = (value, [low, high], count) => {
    const at = ((value - low) / (high - low)) * (count - 1);
    if (!(at >= 0 && at <= count - 1)) return null;
    const before = Math.min(Math.floor(at), count - 2);
    return [before, at - before];
  };
  return (seconds, lat, lon) => {
    const found = [place(seconds / 86400, [0, days - 1], days), place(lat, latitude, rows), place(lon, longitude, columns)];
    if (found.includes(null)) return [NaN, NaN];
    const [[day, later], [row, up], [column, right]] = found, total = [0, 0];
    for (let corner = 0; corner < 8; corner++) {
      const [t, y, x] = [corner >> 2, (corner >> 1) & 1, corner & 1];
      const weight = (t ? later : 1 - later) * (y ? up : 1 - up) * (x ? right : 1 - right);
      const at = ((day + t) * rows + row + y) * columns + column + x;
      total[0] += weight * u[at];
      total[1] += weight * v[at];
    }
    return total;
  };
}

/** ocean/trajectories.py: one step of the classical Runge-Kutta method on the sphere. */
function step(current, seconds, [latitude, longitude], length) {
  const rate = (elapsed, [north, east] = [0, 0], ahead = 0) => {
    const lat = latitude + ahead * north, [u, v] = current(seconds + elapsed, lat, longitude + ahead * east);
    return [v / METRES_PER_DEGREE, u / Math.cos(lat * RADIANS) / METRES_PER_DEGREE];
  };
  const first = rate(0), second = rate(length / 2, first, length / 2), third = rate(length / 2, second, length / 2);
  const fourth = rate(length, third, length);
  return [latitude, longitude].map((v, i) => v + (length / 6) * (first[i] + 2 * second[i] + 2 * third[i] + fourth[i]));
}

/** Path of one particle: [latitude, longitude] at the start and after each step, NaN once it has left the fields. */
function advect(current, position, steps, length = HOUR) {
  const path = [position];
  for (let k = 0; k < steps; k++) path.push(step(current, k * length, path[k], length));
  return path;
}

/** ocean/trajectories.py: great-circle distance (m). */
function distance([latitude, longitude], [toLatitude, toLongitude]) {
  const [north, east] = [(toLatitude - latitude) * RADIANS, (toLongitude - longitude) * RADIANS];
  const across = Math.cos(latitude * RADIANS) * Math.cos(toLatitude * RADIANS) * Math.sin(east / 2) ** 2;
  return (2 * Math.asin(Math.sqrt(Math.sin(north / 2) ** 2 + across)) * METRES_PER_DEGREE) / RADIANS;
}

/** A path that is known every few hours, at every hour. */
function hourly(path, every) {
  return Array.from({ length: (path.length - 1) * every + 1 }, (_, hour) => {
    const at = Math.min(Math.floor(hour / every), path.length - 2), share = hour / every - at;
    return path[at].map((v, i) => v + share * (path[at + 1][i] - v));
  });
}

figures("trails", async (data) => {
  const [days, rows, columns] = data.shape, size = rows * columns, hours = 24 * (days - 1);
  const ends = { shape: [rows, columns], scale: { low: -data.fastest, high: data.fastest } };
  const fields = await Promise.all(["u", "v"].map(async (name) => {
    const all = new Float32Array(days * size);
    (await unpackedFields(data[name], ends)).forEach((values, day) => { // south first from here on
      for (let row = 0; row < rows; row++) {
        all.set(values.subarray((rows - 1 - row) * columns, (rows - row) * columns), day * size + row * columns);
      }
    });
    return all;
  }));
  const current = interpolator(fields, data.shape, data), colours = palette(data.speed);
  const real = data.drifters.map((path) => hourly(path, data.every));
  const carried = real.map((path) => advect(current, path[0], path.length - 1));
  let [now, centre, swarm] = [Math.round(hours / 3), data.centre, []];
  const said = speaker(), told = make("p", { class: "told" });

  function release() {
    swarm = Array.from({ length: SWARM.count }, (_, i) => {
      const angle = (2 * Math.PI * i) / SWARM.count;
      const east = (SWARM.radius * Math.cos(angle)) / Math.cos(centre[0] * RADIANS);
      return advect(current, [centre[0] + SWARM.radius * Math.sin(angle), centre[1] + east], hours);
    });
  }

  /** Speed at an hour: codes (rows, columns), north first. */
  function speedAt(hour) {
    const day = Math.min(Math.floor(hour / 24), days - 2), later = hour / 24 - day, values = new Float32Array(size);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = day * size + (rows - 1 - row) * columns + column;
        const [u, v] = fields.map((field) => (1 - later) * field[at] + later * field[at + size]);
        values[row * columns + column] = Math.hypot(u, v);
      }
    }
    return encoded(values, data.speed.low, data.speed.high);
  }

  const picture = new Picture({
    label: "Paths of drifters over the speed of the analysed current", kind: "square",
    ...mapOf(data.latitude, data.longitude),
    draw(pen) {
      pen.map(speedAt(now), columns, colours);
      pen.degrees();
      const trail = (path, colour, width) => {
        const part = path.slice(Math.max(0, now - TAIL), now + 1).filter(([latitude]) => Number.isFinite(latitude));
        const [ys, xs] = [0, 1].map((i) => part.map((place) => place[i]));
        if (!part.length) return;
        pen.line(xs, ys, { colour: "#fff", width: width + 2, opacity: 0.7 });
        pen.line(xs, ys, { colour, width });
        if (now < path.length) pen.dots([xs.at(-1)], [ys.at(-1)], { colour, radius: width + 1 });
      };
      swarm.forEach((path) => trail(path, SWARM.colour, 1));
      carried.forEach((path) => trail(path, CARRIED, 2));
      real.forEach((path) => trail(path, REAL, 2));
    },
  });

  const moment = (hour) => new Date(Date.parse(data.start) + hour * HOUR * 1000);
  const words = (hour) => moment(hour).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC" }) +
    `, ${String(moment(hour).getUTCHours()).padStart(2, "0")}:00`;
  function changed() {
    const there = real.flatMap((path, i) => (now < path.length ? [distance(path[now], carried[i][now])] : []));
    const apart = there.filter(Number.isFinite), mean = apart.reduce((sum, d) => sum + d, 0) / apart.length / 1e3;
    const begin = `${real.length} drifters, and a particle of the analysed current on each.`;
    const since = `After ${(now / 24).toFixed(1)} days, ${apart.length} drifters and their particles are`;
    if (!now) told.textContent = begin;
    else told.textContent = apart.length ? `${since} ${Math.round(mean)} km apart on average.` : "No drifter is left on the map.";
    said.say(told.textContent);
    picture.refresh();
  }

  const released = beforeNextFrame(() => {
    release();
    changed();
  });
  picture.handle({
    label: "Where to release particles", step: [0.1, 0.1], at: () => [centre[1], centre[0]], kind: "dot blue",
    words: () => `${centre[0].toFixed(1)}° N, ${Math.abs(centre[1]).toFixed(1)}° W`,
    moved([x, y]) {
      const inside = (value, [first, last]) => between(value, [first + 0.4, last - 0.4]);
      centre = [inside(y, data.latitude), inside(x, data.longitude)];
      released();
    },
  });
  const dial = { title: "Date", settings: Array.from({ length: hours + 1 }, (_, i) => i), start: now, words: [] };
  dial.words = dial.settings.map(words);
  const time = player("time", dial, (hour) => {
    now = hour;
    changed();
  }, { seconds: 15 });
  release();
  changed();
  const legend = keys([
    { title: "drifters", colour: REAL }, { title: "particles that started on them", colour: CARRIED },
    { title: "particles that you release", colour: SWARM.colour },
  ]);
  const bar = colourBar("speed", data.speed, "Speed of the analysed current (m/s)");
  return { parts: [time.row, picture.element, legend, bar, told, said.line], pictures: [picture] };
});
