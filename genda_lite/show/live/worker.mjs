// A worker of the pool (see engine.mjs): opens a checkpoint once, then draws its share of the members, run after run.
import { assimilate } from "./assimilate.mjs";
import { loadPriors } from "./checkpoint.mjs";
import { fieldsOf } from "./currents.mjs";
import { Kernels } from "./kernels.mjs";

let priors = null, wanted = 0, running = Promise.resolve();

/** Lets messages in; a timer would wait four milliseconds. */
const pause = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(0);
});

async function open({ kernels, checkpoint, file }) {
  priors = await loadPriors(await Kernels.open(kernels), checkpoint, file);
  const { channels, shape, domain } = priors.diffusion;
  postMessage({ prior: { channels, shape, domain, fields: fieldsOf(channels) } });
}

async function run({ run: number, request, members }) {
  const prior = request.gaussian ? priors.gaussian : priors.diffusion;
  for (const now of assimilate(prior, request, members)) {
    postMessage({ run: number, now }, Object.values(now.fields).map((field) => field.buffer));
    await pause();
    if (wanted !== number) return;
  }
}

onmessage = ({ data }) => {
  wanted = data.run;
  running = running.then(async () => {
    if (wanted !== data.run) return; // a newer one waits already
    try {
      await (data.open ? open(data.open) : data.request && run(data));
    } catch ({ name, message }) {
      postMessage({ run: data.run, failed: { name, message } });
    }
  });
};
