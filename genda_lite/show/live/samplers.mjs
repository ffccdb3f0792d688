// prior/samplers.py: from a denoiser, guided or not, to draws. Samplers are generators: they yield
// {step, steps, sigma, estimate} after each call of the denoiser, and return the last estimate.
import { Generator } from "./random.mjs";

const SIGMA_MAX = 80, SIGMA_MIN = 0.02;
const PRIOR_SIGMA_MIN = 0.005; // of unconditional draws
const PRIOR_STEPS = 40;

/** Falling noise levels, evenly spaced in ln sigma, then zero: (steps + 1,). */
export function noiseLevels(steps, high = SIGMA_MAX, low = SIGMA_MIN) {
  const level = (_, i) => Math.fround(Math.exp(Math.log(high) + (Math.log(low / high) * i) / (steps - 1)));
  return [...Array.from({ length: steps }, level), 0];
}

/** Second-order multistep stochastic sampler: DPM-Solver++(2M) SDE, midpoint form (Lu et al. 2022), in sigma.
 *  noise: gives fresh white noise like x. */
export function* sde2m(denoise, x, sigmas, noise, eta = 1) {
  const steps = sigmas.length - 1;
  let previous = null, previousH = 0;
  for (let step = 0; step < steps; step++) {
    const sigma = sigmas[step], following = sigmas[step + 1], estimate = denoise(x, sigma);
    yield { step: step + 1, steps, sigma, estimate };
    if (following === 0) return estimate;
    const h = Math.log(sigma / following), gain = -Math.expm1(-(1 + eta) * h), keep = (following / sigma) * Math.exp(-eta * h);
    const ahead = previous ? (0.5 * gain * h) / previousH : 0, before = previous ?? estimate;
    const stir = following * Math.sqrt(-Math.expm1(-2 * eta * h)), fresh = noise();
    x = x.map((v, i) => keep * v + gain * estimate[i] + ahead * (estimate[i] - before[i]) + stir * fresh[i]);
    [previous, previousH] = [estimate, h];
  }
}

/** `sde2m` with a little less fresh noise, so that few steps give a Gaussian its variance. */
export function* calibratedSde2m(denoise, x, sigmas, noise) {
  const unit = (k) => Float64Array.from(sigmas, (_, i) => Number(i === k)); // the start and each draw of noise
  let draws = 0;
  const start = unit(0).map((v) => v * Math.sqrt(1 + sigmas[0] ** 2));
  const linear = sde2m((state, s) => state.map((v) => v / (1 + s ** 2)), start, sigmas, () => unit(++draws));
  let response = linear.next();
  while (!response.done) response = linear.next();
  const known = 1 / (1 + sigmas.at(-2) ** 2), scale = Math.sqrt(known / response.value.reduce((sum, v) => sum + v ** 2, 0));
  return yield* sde2m(denoise, x, sigmas, () => noise().map((v) => scale * v));
}

/** White noise for members, each from its own seed: the draws do not depend on which others there are. */
export class MemberNoise {
  constructor(seed, members) {
    this.generators = members.map((m) => new Generator(BigInt(seed) * 1000003n + BigInt(m)));
  }

  /** (members, size). */
  draw(size) {
    const all = new Float32Array(this.generators.length * size);
    this.generators.forEach((generator, b) => generator.normal(all.subarray(b * size, (b + 1) * size)));
    return all;
  }
}

/** Unconditional draws from a prior, (members, C, ny, nx): `sample_prior`, by the deterministic sampler. */
export function* samplePrior(prior, context, members, seed = 0, steps = PRIOR_STEPS) {
  const { spectrum } = prior, size = spectrum.variance.length, noise = new MemberNoise(seed, members);
  const fresh = () => noise.draw(size);
  const sigmas = noiseLevels(steps, SIGMA_MAX, PRIOR_SIGMA_MIN);
  const red = spectrum.draw(spectrum.variance, fresh()), white = fresh();
  const start = red.map((v, i) => v + sigmas[0] * white[i]);
  const mean = yield* sde2m((x, sigma) => prior.denoise(x, sigma, context), start, sigmas, fresh, 0);
  const rest = spectrum.draw(spectrum.posteriorVariance(sigmas.at(-2)), fresh());
  return mean.map((v, i) => v + rest[i]);
}
