// prior/spectral.py: fields as modes. States are flat, (B, C, ny, nx); n = ny nx modes of each channel.
import { range } from "./kernels.mjs";

const FLOOR = 1e-8; // of the variance of a mode

/** Eigenvalues, ascending, and eigenvectors of a symmetric matrix (n, n), by Jacobi's rotations: {value, vector} each. */
export function eigh(matrix, n) {
  const a = Float64Array.from(matrix), v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0, on = 0;
    a.forEach((v, i) => (i % (n + 1) ? (off += v ** 2) : (on += v ** 2)));
    if (off <= 1e-26 * on) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p * n + q] === 0) continue;
        const theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1)), c = 1 / Math.hypot(t, 1), s = t * c;
        const turn = (m, i, j) => {
          const x = m[i], y = m[j];
          m[i] = c * x - s * y;
          m[j] = s * x + c * y;
        };
        for (let k = 0; k < n; k++) turn(a, k * n + p, k * n + q);
        for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
        for (let k = 0; k < n; k++) turn(v, k * n + p, k * n + q);
      }
    }
  }
  const pairs = range(n).map((e) => ({ value: a[e * n + e], vector: range(n).map((k) => v[k * n + e]) }));
  return pairs.sort((one, other) => one.value - other.value);
}

/** An eigenvector with its largest component positive: of components that are equally large the first counts. */
export function signed(vector) {
  const largest = Math.max(...vector.map(Math.abs));
  const sign = Math.sign(vector.find((v) => Math.abs(v) >= (1 - 1e-4) * largest));
  return vector.map((v) => sign * v);
}

function transposed(a, n) {
  return a.map((_, i) => a[(i % n) * n + Math.floor(i / n)]);
}

/** Matrices along y and x, for each channel or the same for all: x -> rows x columns'.
 *  rows: (C or 1, ny, ny), columns: (C or 1, nx, nx), as {shape, data}. */
export class Basis {
  constructor(kernels, rows, columns) {
    this.kernels = kernels;
    [this.rows, this.columns] = [rows, columns].map(({ shape: [count, n], data }) =>
      range(count).map((c) => data.slice(c * n * n, (c + 1) * n * n)));
    [this.ny, this.nx] = [rows.shape[1], columns.shape[1]];
    this.rowsTransposed = this.rows.map((a) => transposed(a, this.ny));
    this.columnsTransposed = this.columns.map((a) => transposed(a, this.nx));
  }

  /** Fields (B, channels, ny, nx) -> coefficients. channels: their numbers. */
  forward(x, channels) {
    return this.#between(this.rows, x, this.columnsTransposed, channels);
  }

  /** Coefficients -> fields; for matrices that are not orthonormal, the adjoint of `forward`. */
  inverse(c, channels) {
    return this.#between(this.rowsTransposed, c, this.columns, channels);
  }

  #between(left, x, right, channels) {
    const { kernels, ny, nx } = this, n = ny * nx;
    return kernels.scratch(() => {
      const [from, half, to] = [kernels.put(x), kernels.floats(n), kernels.floats(x.length)];
      channels.forEach((c, i) => kernels.scratch(() => {
        const [a, b] = [left, right].map((matrices) => kernels.put(matrices[matrices.length === 1 ? 0 : c]));
        for (let at = 4 * i * n; at < 4 * x.length; at += 4 * channels.length * n) {
          kernels.product(half, a, from + at, ny, ny, nx);
          kernels.product(to + at, half, b, ny, nx, nx);
        }
      }));
      return kernels.view(to, x.length).slice();
    });
  }
}

/** A zero-mean Gaussian with covariance S, diagonal in a basis: a C x C matrix for each of its functions.
 *  covariance: (ny, nx, C, C) as {shape, data}. */
export class Spectrum {
  constructor(covariance, basis) {
    const [ny, nx, C] = covariance.shape, n = ny * nx;
    [this.shape, this.basis] = [[C, ny, nx], basis];
    this.variance = new Float32Array(C * n); // (e, mode)
    this.vectors = new Float32Array(C * C * n); // (c, e, mode)
    this.univariate = new Float32Array(C * n); // the variance of each channel alone
    for (let p = 0; p < n; p++) {
      const here = covariance.data.subarray(p * C * C, (p + 1) * C * C);
      eigh(here, C).forEach(({ value, vector }, e) => {
        this.univariate[e * n + p] = Math.max(here[e * C + e], FLOOR);
        this.variance[e * n + p] = Math.max(value, FLOOR);
        signed(vector).forEach((v, c) => { this.vectors[(c * C + e) * n + p] = v; });
      });
    }
  }

  /** The modes' variance once x = x0 + sigma n is known, S / (1 + S / sigma^2). */
  posteriorVariance(sigma) {
    return this.variance.map((s) => s / (1 + s / sigma ** 2));
  }

  /** E[x0 | x] = S (S + sigma^2)^-1 x. */
  wienerFilter(x, sigma) {
    return this.#product(this.variance.map((s) => s / (s + sigma ** 2)))(x);
  }

  /** The function v -> Cov[x0 | x] v = S sigma^2 (S + sigma^2)^-1 v, with infinite sigma S v, from some channels, the others
   *  being zero, to some: (B, from, ny, nx) -> (B, to, ny, nx). */
  posteriorCovariance(sigma, from, to) {
    return this.#product(this.posteriorVariance(sigma), from, to);
  }

  /** The function that multiplies the uncorrelated modes by weights (e, mode). */
  #product(weights, from = range(this.shape[0]), to = range(this.shape[0])) {
    const { basis, vectors, shape: [C, ny, nx] } = this, n = ny * nx;
    const matrix = to.map((c) => from.map((d) => {
      const entry = new Float32Array(n);
      for (let e = 0; e < C; e++) {
        const [i, j, w] = [(c * C + e) * n, (d * C + e) * n, e * n];
        for (let p = 0; p < n; p++) entry[p] += vectors[i + p] * weights[w + p] * vectors[j + p];
      }
      return entry;
    }));
    return (v) => {
      const modes = basis.forward(v, from), batch = v.length / (from.length * n), mixed = new Float32Array(batch * to.length * n);
      for (let b = 0; b < batch; b++) {
        matrix.forEach((row, c) => row.forEach((entry, d) => {
          const [i, j] = [(b * to.length + c) * n, (b * from.length + d) * n];
          for (let p = 0; p < n; p++) mixed[i + p] += entry[p] * modes[j + p];
        }));
      }
      return basis.inverse(mixed, to);
    };
  }

  /** Draws of N(0, diag(variance)) in the modes (e, mode), as fields, from white noise (B, C, ny, nx). */
  draw(variance, white) {
    const { vectors, shape: [C, ny, nx] } = this, n = ny * nx, modes = new Float32Array(white.length);
    const deviation = variance.map(Math.sqrt);
    for (let b = 0; b < white.length; b += C * n) {
      for (const c of range(C)) {
        for (const e of range(C)) {
          const [i, v, z] = [b + c * n, (c * C + e) * n, e * n];
          for (let p = 0; p < n; p++) modes[i + p] += vectors[v + p] * deviation[z + p] * white[b + z + p];
        }
      }
    }
    return this.basis.inverse(modes, range(C));
  }
}
