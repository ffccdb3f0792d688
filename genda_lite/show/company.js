// What a page needs to draw members of its own: the engine, and a true ocean with all that can be measured of it. Scripts of
// a folder beside the page, which load when they are first asked for, from the disk, too.

/** Runs a piece of work once; again only where it failed. */
function once(work) {
  let done = null;
  return () => (done ??= work().catch((error) => {
    done = null;
    throw error;
  }));
}

/** Of the scene in a folder (see `show.scene.scene`): {…, truth: channel -> (ny, nx) from the south, grid, measurements}. */
const scenes = {};
function sceneOf(folder) {
  return (scenes[folder] ??= once(async () => {
    await loadScript(`${folder}/scene.js`);
    const scene = window.gendaPacks.scene, { latitude: [north, south], longitude: [west, east], shape: [ny, nx] } = scene;
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
    const even = (low, high, n) => Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
    const truth = Object.fromEntries(Object.entries(scene.truth).map(([name, text]) => [name, new Float32Array(bytes(text))]));
    return { ...scene, truth, grid: { latitude: even(south, north, ny), longitude: even(west, east, nx) } };
  }))();
}

/** A true field at a place, bilinear; NaN outside the outermost cells. */
function sampled({ grid: { latitude, longitude } }, field, lat, lon) {
  const at = (values, v) => (v - values[0]) / (values[1] - values[0]);
  const [y, x] = [at(latitude, lat), at(longitude, lon)], nx = longitude.length;
  if (!(y >= 0 && x >= 0 && y <= latitude.length - 1 && x <= nx - 1)) return NaN;
  const row = Math.min(Math.floor(y), latitude.length - 2), column = Math.min(Math.floor(x), nx - 2);
  const [v, u] = [y - row, x - column], p = row * nx + column;
  return (1 - v) * ((1 - u) * field[p] + u * field[p + 1]) + v * ((1 - u) * field[p + nx] + u * field[p + nx + 1]);
}

/** A number out of N(0, 1). */
const noise = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

const among = (column, i) => (Array.isArray(column) ? column[i] : column);

/** What an observing system measures of a scene's ocean: the table of `verify.osse.sweep.observe`.
 *
 *  altimeters: how many. swot: whether it flies. cloud: cover, %. error: how many times as much instruments err as they do. */
function observedBy({ measurements: { altimetry, radiometer }, truth, grid }, { altimeters, swot, cloud, error }) {
  const table = Object.fromEntries(["channel", "latitude", "longitude", "value", "error", "referenceError", "source"].map((name) => [name, []]));
  const add = (row) => { for (const name of Object.keys(table)) table[name].push(row[name]); };
  const spoilt = ({ noise: white, instrument, unresolved }, i, value) => ({
    value: value + error * among(white, i), error: Math.hypot(error * among(instrument, i), among(unresolved, i)),
  });
  altimetry.forEach((part, number) => {
    if (part.swot ? !swot : part.altimeters > altimeters) return;
    part.true.forEach((value, i) => add({
      channel: "zos", latitude: part.latitude[i], longitude: part.longitude[i], ...spoilt(part, i, value),
      referenceError: error * among(part.reference, i), source: among(part.source ?? number, i),
    }));
  });
  const columns = grid.longitude.length;
  radiometer.hidden.forEach((hidden, p) => {
    if (cloud >= hidden) return;
    const [latitude, longitude] = [grid.latitude[Math.floor(p / columns)], grid.longitude[p % columns]];
    add({ channel: "thetao", latitude, longitude, ...spoilt(radiometer, p, truth.thetao[p]), referenceError: 0, source: -1 });
  });
  return table;
}

/** The rows of a table that are wanted. */
function rowsOf(table, wanted) {
  const kept = table.value.flatMap((_, i) => (wanted(i) ? [i] : []));
  return Object.fromEntries(Object.entries(table).map(([name, column]) => [name, kept.map((i) => column[i])]));
}

/** Mean distance of the cells of a grid to the nearest observation of sea level, km; null where there is none. */
function sparsityOf(table, { latitude, longitude }) {
  const radian = Math.PI / 180, onSphere = (lat, lon) =>
    [Math.cos(lat * radian) * Math.cos(lon * radian), Math.cos(lat * radian) * Math.sin(lon * radian), Math.sin(lat * radian)];
  const seen = table.channel.flatMap((name, i) => (name === "zos" ? [onSphere(table.latitude[i], table.longitude[i])] : []));
  if (!seen.length) return null;
  let sum = 0;
  for (const lat of latitude) {
    for (const lon of longitude) {
      const [x, y, z] = onSphere(lat, lon);
      let nearest = -1;
      for (const [a, b, c] of seen) nearest = Math.max(nearest, a * x + b * y + c * z);
      sum += Math.sqrt(Math.max(0, 2 - 2 * nearest)); // a chord
    }
  }
  return (6371 * sum) / latitude.length / longitude.length;
}

/** The middle of a scene, of a smaller shape: the window that a checkpoint of another size sees. */
function windowOf(scene, [ny, nx]) {
  const { grid: { latitude, longitude } } = scene, [rows, columns] = [latitude.length, longitude.length];
  if (ny > rows || nx > columns) {
    throw new Error(`the checkpoint's grid of ${ny} x ${nx} points is larger than this ocean, expected at most ${rows} x ${columns}`);
  }
  const [top, left] = [(rows - ny) >> 1, (columns - nx) >> 1];
  const cut = (field) => Float32Array.from({ length: ny * nx }, (_, p) => field[(top + Math.floor(p / nx)) * columns + left + (p % nx)]);
  return {
    grid: { latitude: latitude.slice(top, top + ny), longitude: longitude.slice(left, left + nx) },
    truth: Object.fromEntries(Object.entries(scene.truth).map(([name, field]) => [name, cut(field)])),
  };
}
