// posterior/assimilate.py: a prior and observations in, an ensemble of surface states out, by the fast method.
import { oiCovariance } from "./guidance.mjs";
import { buildProblem } from "./problem.mjs";
import { MemberNoise, calibratedSde2m, noiseLevels, samplePrior } from "./samplers.mjs";
import { range } from "./spectral.mjs";
import { InnovationSolver, interpolated, perturbations } from "./solve.mjs";

const FAST = { steps: 24 }; // guidance "oi", sampler "sde-2m"

/** Draws from the posterior in standardized units, (members, C, ny, nx): a generator like the samplers'.
 *  members: their numbers. */
export function* samplePosterior(prior, likelihood, context, members, seed = 0, steps = FAST.steps) {
  const { spectrum } = prior, size = spectrum.variance.length, n = size / prior.shape[0];
  const guided = oiCovariance(prior, likelihood, context), solver = new InnovationSolver(prior, likelihood);
  const sigmas = noiseLevels(steps), noise = new MemberNoise(seed, members);
  const unknown = (sigma) => {
    const draws = spectrum.draw(spectrum.posteriorVariance(sigma), noise.draw(size));
    return perturbations(solver, sigma, draws, likelihood.drawErrors(noise.draw(likelihood.m), noise.draw(likelihood.shared.length)));
  };
  const mean = interpolated(solver), rest = unknown(Infinity), white = noise.draw(size);
  const start = rest.map((v, i) => mean[i % size] + v + sigmas[0] * white[i]);
  const fresh = () => noise.draw(size).map((v, i) => prior.inflation[Math.floor((i % size) / n)] * v);
  const last = yield* calibratedSde2m(guided, start, sigmas, fresh), below = unknown(sigmas.at(-2));
  return last.map((v, i) => v + below[i]);
}

/** Which observations set the reference level of sea level: those of the first source, if none is known. */
export function levelSource({ channel, source, referenceError }) {
  const level = range(channel.length).filter((i) => channel[i] === "zos");
  const first = Math.min(...level.map((i) => source[i]));
  return level.some((i) => referenceError[i] === 0) ? [] : level.filter((i) => source[i] === first);
}

/** A draw of the constant c of one source of sea level for each state x, (members,); see Python. */
export function constants(likelihood, states, source, white) {
  const { m, value, variance, shared } = likelihood, seen = likelihood.operator.forward(states), sum = (values) => values.reduce((a, b) => a + b, 0);
  const s2 = sum(source.map((i) => sum(shared.map((s) => s[i] ** 2)))) / source.length;
  const v = 1 / (1 / s2 + sum(source.map((i) => 1 / variance[i])));
  return Array.from(white, (w, b) => v * sum(source.map((i) => (value[i] - seen[b * m + i]) / variance[i])) + Math.sqrt(v) * w);
}

/** An ensemble of physical fields, as it takes shape: yields {step, steps, fields, note} after each step, the last time,
 *  with the step after the last, the members themselves.
 *
 *  prior: of `loadPriors`. request: observations, grid and date, see `buildProblem`; none observed are draws of the prior.
 *    seed; steps; channels: names of the fields that are wanted, by default all.
 *  members: their numbers; member i does not depend on the others.
 *  fields: channel -> (members, ny, nx) in the channel's units. */
export function* assimilate(prior, request, members) {
  const { kernels } = prior.spectrum.basis, before = kernels.top; // what a run takes it gives back at its end
  try {
    const { grid, time, context, table, likelihood, note } = buildProblem(prior, request), { seed = 0, steps, channels = prior.channels } = request;
    const level = likelihood ? levelSource(table) : [], white = new MemberNoise(seed, members.map((m) => -1 - m)).draw(1); // of seeds that no member has
    const [C, ny, nx] = prior.shape, zos = prior.channels.indexOf("zos");
    const fields = (states) => {
      const shift = level.length ? constants(likelihood, states, level, white) : null;
      const shifted = shift ? states.map((v, i) => (Math.floor(i / (ny * nx)) % C === zos ? v + shift[Math.floor(i / (C * ny * nx))] : v)) : states;
      return Object.fromEntries(channels.map((name) => [name, prior.standardizer.toField(shifted, name, prior.channels.indexOf(name), C, grid, time)]));
    };
    const sampler = likelihood ? samplePosterior(prior, likelihood, context, members, seed, steps) : samplePrior(prior, context, members, seed, steps);
    let now = sampler.next(), last = 0;
    for (; !now.done; now = sampler.next()) {
      last = now.value.steps + 1;
      yield { step: now.value.step, steps: last, fields: fields(now.value.estimate), note };
    }
    yield { step: last, steps: last, fields: fields(now.value), note };
  } finally {
    kernels.top = before;
  }
}
