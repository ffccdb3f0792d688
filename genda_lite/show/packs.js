// Precomputed explorers of a page. `static.py` writes the data, inside each element that waits or into a pack of files
// beside the page. A pack's files are scripts, which a page may load even when opened from the disk.

const packs = (window.gendaPacks ??= {}); // address -> content of the files of packs, which they enter themselves

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

/** Maps of one byte a value: a function from the number of a map to its codes. The inverse of `pack` in static.py. */
function summed(codes, size) {
  for (let i = 1; i < codes.length; i++) codes[i] += codes[i - 1];
  return slices(codes, size);
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

/** The page, or a pack beside it, as the source of an explorer (see explorer.js). */
async function packed(host) {
  const folder = host.dataset.pack;
  if (folder) await approached(host);
  const data = folder ? await fetched(folder, "contents") : JSON.parse(host.querySelector("script").textContent);
  const [rows, columns] = data.shape;

  /** A panel of a channel, out of the file that holds it: what depends on the dials that split a pack stands apart. */
  async function unpacked(channel, panel, steps) {
    const entry = channel.fields[panel.name];
    const at = (name) => data.dials.findIndex((dial) => dial.name === name);
    const apart = entry.split ? data.split.map((name) => data.dials[at(name)].settings[steps[at(name)]]) : [];
    const name = [channel.name, ...apart].join("-");
    const chunk = folder ? await fetched(folder, name) : data.chunks[name];
    const raw = await inflate(chunk[panel.name]);
    return { dials: entry.dials, map: entry.step ? cosines(raw, entry, rows, columns) : summed(raw, rows * columns) };
  }

  return {
    data,
    loads: (dial) => data.split.includes(dial.name),
    async fields(channel, steps) {
      const all = await Promise.all(data.panels.map((panel) => unpacked(channel, panel, steps)));
      return Object.fromEntries(data.panels.map((panel, i) => [panel.name, all[i]]));
    },
    chosen() {},
    rested() {},
  };
}

async function explore(host) {
  const explorer = new Explorer(host, await packed(host));
  await explorer.refresh(true);
  explorer.attach();
}

for (const host of document.querySelectorAll("[data-genda-explorer=waiting]")) {
  host.dataset.gendaExplorer = "loading";
  explore(host).catch((error) => { // most likely a pack that did not arrive
    host.dataset.gendaExplorer = "failed";
    host.append(`It could not be drawn: ${error.message}. A current browser is needed.`);
  });
}
