// posterior/guidance.py: from a prior and observations to a denoiser of the posterior, here by "oi" alone.
import { InnovationSolver } from "./solve.mjs";

/** Optimal interpolation inside the denoiser: D + P H' (H P H' + R)^-1 (y - H D), P = S sigma^2 (S + sigma^2)^-1. */
export function oiCovariance(prior, likelihood, context) {
  const solver = new InnovationSolver(prior, likelihood), { m, value } = likelihood;
  return (x, sigma) => {
    const estimate = prior.denoise(x, sigma, context);
    const innovation = likelihood.operator.forward(estimate).map((seen, i) => value[i % m] - seen);
    const increment = solver.increment(sigma, solver.solve(sigma, innovation));
    return estimate.map((v, i) => v + increment[i]);
  };
}
