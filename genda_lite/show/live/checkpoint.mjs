// prior/checkpoint.py: priors out of files of `genda train` (safetensors), as they are.
import { CONTEXT_CHANNELS } from "./base.mjs";
import { DiffusionPrior, TUNED } from "./diffusion.mjs";
import { InputError } from "./errors.mjs";
import { GaussianPrior } from "./gaussian.mjs";
import { Basis, Spectrum } from "./spectral.mjs";
import { Standardizer } from "./state.mjs";
import { weightShapes } from "./unet.mjs";

const FORMATS = ["genda_lite prior 2", "genda_lite prior 3"];
const EXPECTED = "expected a checkpoint of `genda train`";
const TYPES = { // of safetensors: the name in torch, and the numbers in bytes
  F16: ["torch.float16", 2, (bytes) => halves(new Uint16Array(bytes))],
  F32: ["torch.float32", 4, (bytes) => new Float32Array(bytes)],
  F64: ["torch.float64", 8, (bytes) => new Float64Array(bytes)],
};

/** Half precision numbers as single. */
function halves(bits) {
  const numbers = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >> 10) & 31, fraction = bits[i] & 1023;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
    numbers[i] = (bits[i] & 0x8000 ? -1 : 1) * (exponent < 31 ? size : fraction ? NaN : Infinity);
  }
  return numbers;
}

const count = (shape) => shape.reduce((product, n) => product * n, 1);

/** A text as Python's json.dumps quotes it. */
function quoted(text) {
  return JSON.stringify(text).replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** SHA-256 of all that a file says, as Python computes it; none where a page may not ask for it (plain http). */
async function digest(entries, metadata) {
  if (!globalThis.crypto?.subtle) return null;
  const told = Object.keys(metadata).filter((key) => key !== "sha256").sort();
  const parts = [`{${told.map((key) => `${quoted(key)}: ${quoted(metadata[key])}`).join(", ")}}`];
  for (const name of Object.keys(entries).sort()) {
    const { type, shape, bytes } = entries[name];
    parts.push(`${name} ${type} (${shape.join(", ")}${shape.length === 1 ? "," : ""})`, bytes);
  }
  const sum = await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer());
  return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Tensors, name -> {shape, data}, and metadata of a file (an ArrayBuffer).
 *
 *  Throws InputError: the file is not safetensors, is cut short, was changed, or holds something else. */
export async function readSafetensors(buffer, file) {
  const entries = {};
  let metadata;
  try {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    if (!(length <= buffer.byteLength - 8)) throw new Error("its header is longer than the file");
    const header = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length));
    const { __metadata__, ...listed } = JSON.parse(header);
    metadata = __metadata__ ?? {};
    for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(listed)) {
      if (8 + length + to > buffer.byteLength) throw new Error(`cut short: ${buffer.byteLength} bytes`);
      const [type, width, numbers] = TYPES[dtype] ?? [];
      if (!type) throw new Error(`${name} is of type ${dtype}`);
      if (to - from !== width * count(shape)) throw new Error(`${name} has ${to - from} bytes for a shape of ${shape}`);
      const bytes = buffer.slice(8 + length + from, 8 + length + to);
      entries[name] = { type, shape, bytes, data: numbers(bytes) };
    }
  } catch (error) {
    throw new InputError(`${file}: not a readable safetensors file (${error.message}), ${EXPECTED}`);
  }
  if (!FORMATS.includes(metadata.format)) {
    const found = metadata.format ? `'${metadata.format}'` : "another program's file";
    throw new InputError(`${file}: holds ${found}, ${EXPECTED} ('${FORMATS.join("' or '")}')`);
  }
  const sum = await digest(entries, metadata);
  if (sum !== null && sum !== metadata.sha256) {
    throw new InputError(`${file}: was changed or damaged (its checksum is wrong), expected it as it was written`);
  }
  const tensors = Object.fromEntries(Object.entries(entries).map(([name, { shape, data }]) => [name, { shape, data }]));
  return { tensors, metadata };
}

/** What a checkpoint says of its prior: {channels, climate, config, inflation, domain}; and its tensors fit to it.
 *
 *  Throws InputError: a state of several days, a network of another architecture; any Error: what does not fit. */
function described({ tensors, metadata }, file) {
  const told = (key) => JSON.parse(metadata[key]), third = metadata.format === FORMATS[1];
  const climate = told("channels"), config = told("config"), [latitude, longitude] = told("domain");
  const { channels, lags = [] } = third ? told("state") : { channels: climate };
  const inflation = third ? told("tuned").inflation : TUNED, C = channels.length, [ny, nx] = tensors.covariance.shape;
  if (lags.some((lag) => lag !== 0)) {
    throw new InputError(`${file}: has a state of several days, expected one of one day`);
  }
  if (config.preconditioning !== "wiener" || config.patch !== 2 || !config.linear_estimate) {
    const found = `${config.preconditioning}, patches of ${config.patch}, linear estimate ${config.linear_estimate}`;
    throw new InputError(`${file}: has a network of another architecture (${found}), ` +
      "expected wiener, patches of 2, linear estimate true");
  }
  const coarsest = Math.max(4, 2 ** config.multipliers.length);
  if (ny !== nx || ny % coarsest) {
    throw new InputError(`${file}: has a grid of ${ny} x ${nx}, expected a square, its side a multiple of ${coarsest}`);
  }
  const shapes = {
    covariance: [ny, nx, C, C],
    "basis.rows": [tensors["basis.rows"].shape[0] === 1 ? 1 : C, ny, ny],
    "basis.columns": [tensors["basis.columns"].shape[0] === 1 ? 1 : C, nx, nx],
    "climatology.harmonics": [3, climate.length, ...tensors["climatology.latitude"].shape],
    "climatology.scale": [climate.length],
    "climatology.ekman": [2, ...tensors["climatology.latitude"].shape],
  };
  const weights = weightShapes(2 * C + CONTEXT_CHANNELS, C, config);
  for (const [name, shape] of Object.entries(weights)) shapes[`network.${name}`] = shape;
  for (const [name, shape] of Object.entries(shapes)) {
    const found = tensors[name]?.shape.join(" x ");
    if (found !== shape.join(" x ")) throw new Error(`${name} is of shape ${found}, not ${shape.join(" x ")}`);
  }
  const strange = Object.keys(tensors).find((name) => name.startsWith("network.") && !shapes[name]);
  if (strange) throw new Error(`${strange} is not part of the network`);
  if (!channels.every((name) => climate.includes(name))) throw new Error(`no climatology of all of ${channels}`);
  const factors = [...Object.values(inflation), ...tensors["climatology.scale"].data];
  if (!factors.every((factor) => factor > 0)) throw new Error("a scale or an inflation is not positive");
  return { channels, climate, config, inflation, domain: { latitude, longitude } };
}

/** Both priors of a checkpoint: {diffusion, gaussian}.
 *
 *  kernels: see kernels.mjs. buffer: the file. file: what to call it.
 *  Throws InputError: see `readSafetensors` and `described`. */
export async function loadPriors(kernels, buffer, file) {
  const content = await readSafetensors(buffer, file), { tensors, metadata } = content;
  let told;
  try {
    told = described(content, file);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: incomplete or foreign checkpoint (${error.message}), expected '${metadata.format}'`);
  }
  const { channels, climate, config, inflation, domain } = told;
  const [latitude, harmonics, scale, ekman] = ["latitude", "harmonics", "scale", "ekman"].map((name) => tensors[`climatology.${name}`].data);
  const standardizer = new Standardizer(latitude, harmonics, scale, climate, ekman);
  const spectrum = new Spectrum(tensors.covariance, new Basis(kernels, tensors["basis.rows"], tensors["basis.columns"]));
  const named = Object.entries(tensors).filter(([name]) => name.startsWith("network."));
  const weights = Object.fromEntries(named.map(([name, tensor]) => [name.slice("network.".length), tensor]));
  return {
    diffusion: new DiffusionPrior(spectrum, standardizer, domain, channels, config, weights, inflation),
    gaussian: new GaussianPrior(spectrum, standardizer, domain, channels),
  };
}
