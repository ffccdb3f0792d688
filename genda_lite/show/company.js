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
