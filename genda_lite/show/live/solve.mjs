// posterior/solve.py: systems of innovations, (H P H' + R) v = d, and the draws that their solutions give.
import { range } from "./kernels.mjs";

const REUSE = 30; // a factor serves until the noise has fallen by this much
const MAX_ITERATIONS = 100, TOLERANCE = 1e-3;
const ROUNDING = 10 * 2 ** -23; // of what is left below it no direction can be told

/** Solve A v = b for a symmetric positive A, each row of b (B, m) on its own (Hestenes & Stiefel 1952). A row that is
 *  solved stays as it is: the result does not depend on the rows beside it. */
export function conjugateGradients(matrix, rhs, precondition, m) {
  const rows = range(rhs.length / m), total = new Float32Array(rhs.length), residual = rhs.slice();
  const dot = (a, c) => rows.map((b) => {
    let sum = 0;
    for (let i = b * m; i < (b + 1) * m; i++) sum += a[i] * c[i];
    return sum;
  });
  let z = precondition(residual), direction = z, power = dot(residual, z);
  const goal = power.map((p) => Math.max(TOLERANCE, ROUNDING) ** 2 * p);
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    if (iteration && power.every((p, b) => !(p > goal[b]))) break;
    const image = matrix(direction), curvature = dot(direction, image);
    const step = rows.map((b) => (power[b] > goal[b] && curvature[b] > 0 ? power[b] / curvature[b] : 0));
    const change = image.map((v, i) => step[Math.floor(i / m)] * v), from = direction;
    for (let i = 0; i < total.length; i++) {
      total[i] += step[Math.floor(i / m)] * direction[i];
      residual[i] -= change[i];
    }
    z = precondition(residual);
    const back = dot(z, change).map((overlap, b) => overlap / Math.max(power[b], 1e-30));
    direction = z.map((v, i) => v - back[Math.floor(i / m)] * from[i]);
    power = dot(residual, z);
  }
  return total;
}

/** Solves (H P H' + R) v = d, P = S sigma^2 (S + sigma^2)^-1, by conjugate gradients that are preconditioned by a
 *  Cholesky factor of the matrix at the noise at which it was last needed. Takes room for the factor. */
export class InnovationSolver {
  constructor(prior, likelihood) {
    Object.assign(this, { prior, likelihood, kernels: prior.spectrum.basis.kernels, factored: false, factoredAt: 0 });
    this.factor = this.kernels.floats(likelihood.m ** 2);
  }

  /** v for each row of d, (B, m). */
  solve(sigma, innovation) {
    const { likelihood, prior } = this, { m, observedOperator: observe } = likelihood;
    const covariance = prior.covariance(sigma, likelihood.observedChannels, likelihood.observedChannels);
    const matrix = (v) => {
      const error = likelihood.covariance(v);
      return observe.forward(covariance(observe.adjoint(v))).map((seen, i) => seen + error[i]);
    };
    if (!(this.factoredAt / REUSE <= sigma && sigma <= this.factoredAt)) {
      this.factored = this.#factorize(matrix);
      this.factoredAt = sigma;
    }
    return conjugateGradients(matrix, innovation, (residual) => this.#precondition(residual), m);
  }

  /** `cholesky`: whether the matrix, given as a function of rows, has a factor, which is then kept. */
  #factorize(matrix, batch = 64) {
    const { kernels, likelihood: { m } } = this;
    return kernels.scratch(() => {
      const dense = kernels.take(8 * m * m);
      for (let first = 0; first < m; first += batch) {
        const count = Math.min(batch, m - first), one = new Float32Array(count * m);
        for (let i = 0; i < count; i++) one[i * m + first + i] = 1;
        const rows = matrix(one); // takes room, so that it comes before the view
        kernels.view(dense, m * m, Float64Array).set(rows, first * m);
      }
      if (!kernels.wasm.cholesky(dense, m)) return false;
      kernels.view(this.factor, m * m).set(kernels.view(dense, m * m, Float64Array));
      return true;
    });
  }

  #precondition(residual) {
    const { kernels, likelihood: { m, variance } } = this, batch = residual.length / m;
    if (!this.factored) return residual.map((v, i) => v / (variance[i % m] + 1)); // rounding left no factor
    return kernels.scratch(() => {
      const at = kernels.floats(8 * m), columns = kernels.view(at, 8 * m), solved = new Float32Array(residual.length);
      for (let first = 0; first < batch; first += 8) { // eight at a time
        const count = Math.min(8, batch - first);
        columns.fill(0);
        for (let b = 0; b < count; b++) for (let i = 0; i < m; i++) columns[8 * i + b] = residual[(first + b) * m + i];
        kernels.wasm.solve(this.factor, at, m);
        for (let b = 0; b < count; b++) for (let i = 0; i < m; i++) solved[(first + b) * m + i] = columns[8 * i + b];
      }
      return solved;
    });
  }

  /** P H' v, in all channels. */
  increment(sigma, weights) {
    const { observedChannels, observedOperator } = this.likelihood;
    return this.prior.covariance(sigma, observedChannels)(observedOperator.adjoint(weights));
  }
}

/** Draws of what remains unknown of N(0, P) once it is observed (Matheron's rule): p - P H' (H P H' + R)^-1 (H p + e).
 *  draws: p (B, C, ny, nx). errors: e (B, m). */
export function perturbations(solver, sigma, draws, errors) {
  const seen = solver.likelihood.operator.forward(draws).map((v, i) => v + errors[i]);
  const increment = solver.increment(sigma, solver.solve(sigma, seen));
  return draws.map((v, i) => v - increment[i]);
}

/** The mean of optimal interpolation, S H' (H S H' + R)^-1 y, (C, ny, nx). */
export function interpolated(solver) {
  return solver.increment(Infinity, solver.solve(Infinity, solver.likelihood.value));
}
