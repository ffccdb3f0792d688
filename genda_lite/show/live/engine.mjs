// The diffusion prior in the reader's browser: a checkpoint of `genda train`, as it is, and the fast method of `assimilate`
// (OI guidance, SDE-2M), spread over a pool of workers. A seed gives the members that it gives in Python.
// `show.assets.engine()` is the script that offers this to a page, from http or from the disk, as `window.gendaLive`:
//
//   const engine = await gendaLive.openEngine({ checkpoint: "prior.js" }); // or the ArrayBuffer of a reader's file
//   const observations = { channel: "zos", latitude: [37.9, 38], longitude: [-60.1, -60], value: [0.31, 0.34], error: 0.03 };
//   const grid = { latitude, longitude }; // arrays, degrees, as many as engine.prior.shape says
//   for await (const now of engine.assimilate({ observations, grid, date: "2000-07-29", members: 8, seed: 0 })) {
//     draw(now.fields.zos, now.step / now.steps); // (members, ny, nx) in m: the estimates of a step, at last the members
//   }
//   engine.close();
//
// What cannot be used is refused with an InputError of one sentence. Any other Error says why the browser could not do it.
import { InputError } from "./errors.mjs";

const WORKER = WORKER_SOURCE; // all that a worker runs, a classic script: a page from the disk may not import
const KERNELS = KERNEL_BYTES; // {plain, relaxed}, base64
const MOST_WORKERS = 4;

/** The bytes of a base64 text. */
async function decoded(text) {
  return (await fetch(`data:application/octet-stream;base64,${text}`)).arrayBuffer();
}

/** A checkpoint out of a script (`show.assets.checkpoint`), which loads from the disk, too. */
async function fetched(address) {
  const file = document.createElement("script");
  file.src = address;
  await new Promise((resolve, reject) => {
    file.onload = resolve;
    file.onerror = () => reject(new Error(`${address} did not arrive`));
    document.head.append(file);
  });
  file.remove();
  const text = window.gendaCheckpoint;
  delete window.gendaCheckpoint;
  return decoded(text);
}

function failure({ name, message }) {
  return name === "InputError" ? new InputError(message) : new Error(message);
}

/** An engine for one checkpoint.
 *
 *  checkpoint: the address of a script, or an ArrayBuffer. file: what to call it when it is refused.
 *  workers: how many; by default one for each processor, up to four. relaxed: fused multiply-add where there is one. */
export async function openEngine({ checkpoint, file = "the checkpoint", workers, relaxed = true }) {
  const [plain, fused] = await Promise.all([KERNELS.plain, KERNELS.relaxed].map(decoded));
  if (!globalThis.WebAssembly?.validate(plain)) throw new Error("this browser has no WebAssembly with SIMD, expected a current one");
  const kernels = relaxed && WebAssembly.validate(fused) ? fused : plain;
  const bytes = typeof checkpoint === "string" ? await fetched(checkpoint) : checkpoint;
  const size = workers ?? Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency ?? 1));
  const address = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
  const pool = Array.from({ length: size }, () => new Worker(address));
  try {
    const opened = await Promise.all(pool.map((worker) => new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.failed ? reject(failure(data.failed)) : resolve(data.prior));
      worker.onerror = ({ message }) => reject(new Error(message || "a worker did not start"));
      worker.postMessage({ open: { kernels, checkpoint: bytes, file } });
    })));
    return new Engine(pool, opened[0], kernels === fused);
  } catch (error) {
    pool.forEach((worker) => worker.terminate());
    throw error;
  } finally {
    URL.revokeObjectURL(address);
  }
}

class Engine {
  /** prior: {channels, shape: [C, ny, nx], domain: {latitude: [south, north], longitude: [west, east]}, fields}: names of
   *  channels, and of fields that can be asked for, too. */
  constructor(pool, prior, relaxed) {
    Object.assign(this, { pool, prior, relaxed, run: 0, wake: () => {} });
  }

  /** An ensemble, as it takes shape: an async generator of {step, steps, fields, note}.
   *
   *  observations, grid, date, seed, steps, channels: see `assimilate` and `buildProblem`. members: how many. gaussian: by
   *    the Gaussian prior of the same training data, optimal interpolation.
   *  fields: channel -> (members, ny, nx), new values as they come, NaN where none have come; the last time, with step equal
   *    to steps, the members themselves. note: a line on what was done to the observations, or "".
   *  A newer run ends an older one, which then yields no more; so does leaving the loop. */
  async *assimilate({ members = 8, ...request }) {
    const { steps: wanted = 2, seed = 0 } = request;
    if (![members, wanted, seed].every(Number.isSafeInteger) || members < 1 || wanted < 2) {
      throw new InputError(`expected whole numbers, members >= 1, steps >= 2, got ${members}, ${wanted} and seed ${seed}`);
    }
    const run = ++this.run, pool = this.pool.slice(0, members), arrived = [];
    this.wake(); // the older run sees that it is over
    const first = (i) => Math.floor((members * i) / pool.length);
    const done = pool.map(() => 0), fields = {};
    pool.forEach((worker, i) => {
      worker.onmessage = ({ data }) => {
        if (data.run === run) arrived.push({ ...data, i });
        this.wake();
      };
      worker.onerror = ({ message }) => {
        arrived.push({ failed: { message: message || "a worker ended" } });
        this.wake();
      };
      const share = Array.from({ length: first(i + 1) - first(i) }, (_, m) => first(i) + m);
      worker.postMessage({ run, request, members: share });
    });
    this.pool.slice(members).forEach((worker) => worker.postMessage({ run })); // ends what they did
    try {
      let steps = Infinity;
      while (Math.min(...done) < steps) {
        if (!arrived.length && run === this.run) await new Promise((resolve) => { this.wake = resolve; });
        if (run !== this.run) return;
        let note = "";
        for (const { failed, now, i } of arrived.splice(0)) {
          if (failed) throw failure(failed);
          for (const [name, values] of Object.entries(now.fields)) {
            const each = values.length / (first(i + 1) - first(i));
            fields[name] ??= new Float32Array(members * each).fill(NaN);
            fields[name].set(values, first(i) * each);
          }
          [done[i], steps, note] = [now.step, now.steps, now.note];
        }
        if (done.some(Boolean)) yield { step: Math.min(...done), steps, fields, note };
      }
    } finally {
      if (run === this.run) this.cancel();
    }
  }

  /** End the run at work. */
  cancel() {
    this.run++;
    this.wake();
    this.pool.forEach((worker) => worker.postMessage({ run: this.run }));
  }

  /** End it, and the workers. */
  close() {
    this.cancel();
    this.pool.forEach((worker) => worker.terminate());
  }
}
