// Elements, numbers in words and colours: what the programs of this folder share.

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

/** The 256 colours of a scale, each a pixel as the canvas stores it. */
function palette(scale) {
  return new Uint32Array(Uint8Array.from(atob(scale.colours), (letter) => letter.charCodeAt(0)).buffer);
}

function paint(canvas, codes, colours) {
  const pixels = Uint32Array.from(codes, (code) => colours[code]);
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), canvas.width, canvas.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Codes of one byte a value, as `quantise` in static.py gives them. */
function encoded(values, low, high) {
  return Uint8Array.from(values, (v) => (Number.isFinite(v) ? 1 + Math.min(254, Math.max(0, Math.round((254 * (v - low)) / (high - low)))) : 0));
}

/** The values of a map of codes. */
const decoded = (codes, { low, high }) => Float32Array.from(codes, (code) => (code ? low + ((code - 1) / 254) * (high - low) : NaN));

/** Maps that stand one after the other: a function from the number of a map to its codes. */
const slices = (codes, size) => (map) => codes.subarray(map * size, (map + 1) * size);

/** Runs a script beside the page, which a page from the disk may do, too. */
function loadScript(address) {
  return new Promise((resolve, reject) => {
    const file = make("script", { src: address });
    file.onload = () => resolve();
    file.onerror = () => {
      file.remove();
      reject(new Error(`${address.split("/").at(-1)} did not arrive`));
    };
    document.head.append(file);
  });
}

/** The engine of `live/` with the shipped prior, from the scripts of a folder beside the page: loaded once a page, when it
 *  is first asked for, and kept. */
function sharedEngine(folder) {
  const load = async () => {
    await loadScript(`${folder}/engine.js`);
    return gendaLive.openEngine({ checkpoint: `${folder}/prior.js` });
  };
  return (window.gendaEngine ??= load().catch((error) => {
    delete window.gendaEngine;
    throw error;
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
