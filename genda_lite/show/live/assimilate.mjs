// posterior/assimilate.py: a prior and observations in, an ensemble of surface states out, by the fast method.
import { drawnFields } from "./currents.mjs";
import { oiCovariance } from "./guidance.mjs";
import { range } from "./kernels.mjs";
import { buildProblem } from "./problem.mjs";
import { MemberNoise, calibratedSde2m, noiseLevels, samplePrior } from "./samplers.mjs";
import { InnovationSolver, interpolated, perturbations } from "./solve.mjs";

const FAST = { steps: 24 }; // guidance "oi", sampler "sde-2m"

/** Draws from the posterior in standardized units, (members, C, ny, nx): a generator like the samplers'.
 *  members: their numbers. */
function* samplePosterior(prior, likelihood, context, members, seed, steps = FAST.steps) {
  const { spectrum, inflation } = prior, size = spectrum.variance.length, n = size / inflation.length;
  const guided = oiCovariance(prior, likelihood, context), solver = new InnovationSolver(prior, likelihood);
  const sigmas = noiseLevels(steps), noise = new MemberNoise(seed, members);
  const unknown = (sigma) => {
    const draws = spectrum.draw(spectrum.posteriorVariance(sigma), noise.draw(size));
    const errors = likelihood.drawErrors(noise.draw(likelihood.m), noise.draw(likelihood.shared.length));
    return perturbations(solver, sigma, draws, errors);
  };
  const mean = interpolated(solver), around = unknown(Infinity), white = noise.draw(size);
  const start = around.map((v, i) => mean[i % size] + v + sigmas[0] * white[i]);
  const fresh = () => noise.draw(size).map((v, i) => inflation[Math.floor((i % size) / n)] * v);
  const last = yield* calibratedSde2m(guided, start, sigmas, fresh), below = unknown(sigmas.at(-2));
  return last.map((v, i) => v + below[i]);
}

/** Which observations set the reference level of sea level: those of the first source, if none is known. */
function levelSource({ channel, source, referenceError }) {
  const level = range(channel.length).filter((i) => channel[i] === "zos");
  const first = Math.min(...level.map((i) => source[i]));
  return level.some((i) => referenceError[i] === 0) ? [] : level.filter((i) => source[i] === first);
}

/** A draw of the constant c of one source of sea level for each state x, (members,): N(v sum (y - H x) / r, v). */
function constants({ m, operator, value, variance, shared }, states, source, white) {
  const seen = operator.forward(states), sum = (of) => source.reduce((total, i) => total + of(i), 0);
  const s2 = sum((i) => shared.reduce((total, s) => total + s[i] ** 2, 0)) / source.length;
  const v = 1 / (1 / s2 + sum((i) => 1 / variance[i]));
  return white.map((w, b) => v * sum((i) => (value[i] - seen[b * m + i]) / variance[i]) + Math.sqrt(v) * w);
}

/** An ensemble of physical fields as it takes shape: yields {step, steps, fields, note} for each estimate on the way, and at
 *  last, with step = steps, for the members.
 *
 *  prior: of `loadPriors`. request: observations, grid, date and channels, see `buildProblem`; none observed gives draws of
 *    the prior; seed; steps, of the sampler. members: their numbers; a member does not depend on the others.
 *  fields: channel -> (members, ny, nx) in the channel's units; `speed` of the current, too, where it is asked for. */
export function* assimilate(prior, request, members) {
  const { kernels } = prior.spectrum.basis, before = kernels.top;
  try {
    const { grid, time, context, table, likelihood, note } = buildProblem(prior, request);
    const { seed = 0, steps, channels = prior.channels } = request, [C, ny, nx] = prior.shape, n = ny * nx;
    const level = likelihood ? levelSource(table) : [], zos = prior.channels.indexOf("zos");
    const white = new MemberNoise(seed, members.map((m) => -1 - m)).draw(1); // of seeds that no member has
    const shown = (states) => {
      const shift = level.length ? constants(likelihood, states, level, white) : null;
      const inLevel = (v, i) => (Math.floor(i / n) % C === zos ? v + shift[Math.floor(i / (C * n))] : v);
      return drawnFields(shift ? states.map(inLevel) : states, prior.channels, prior.standardizer, grid, time, channels);
    };
    const sampler = likelihood
      ? samplePosterior(prior, likelihood, context, members, seed, steps)
      : samplePrior(prior, context, members, seed, steps);
    let last = 0;
    for (;;) {
      const { done, value } = sampler.next();
      if (!done) last = value.steps + 1;
      yield { step: done ? last : value.step, steps: last, fields: shown(done ? value : value.estimate), note };
      if (done) return;
    }
  } finally {
    kernels.top = before; // what the run took
  }
}
