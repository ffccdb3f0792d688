// Precomputed explorers of a page. `static.py` writes the data, inside each element that waits or into a pack of files
// beside the page. A pack's files are scripts, which a page may load even when opened from the disk.

const packs = (window.gendaPacks ??= {}); // address -> content of the files of packs, which they enter themselves

/** The content of a file of a pack, which is loaded once. */
const arriving = {};
function fetched(folder, name) {
  const address = `${folder}/${name}`;
  return (arriving[address] ??= loadScript(`${address}.js`).then(() => packs[name], (error) => {
    delete arriving[address];
    throw error;
  }));
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
    if (!entry.step) return { dials: entry.dials, map: summed(raw, rows * columns) };
    const exact = waves(raw, entry, rows, columns);
    return { dials: entry.dials, exact, map: (i) => encoded(exact(i), 0, 1) };
  }

  return {
    data,
    loads: (dial) => data.split.includes(dial.name),
    async fields(channel, steps) {
      const kept = data.panels.filter((panel) => channel.fields[panel.name]);
      const all = await Promise.all(kept.map((panel) => unpacked(channel, panel, steps)));
      return Object.fromEntries(kept.map((panel, i) => [panel.name, all[i]]));
    },
    chosen() {},
    rested() {},
  };
}

async function explore(host) {
  const source = await packed(host), explorer = new Explorer(host, source);
  if (host.dataset.live) offerLive(explorer, source.data, host.dataset.live);
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
