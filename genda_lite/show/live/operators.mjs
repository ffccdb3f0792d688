// observe/operators.py: the linear maps H from states (B, C, ny, nx) to values (B, m), each with its adjoint H'.
import { range } from "./kernels.mjs";
import { Basis } from "./spectral.mjs";
import { KM_PER_DEGREE } from "./state.mjs";

/** Values at points, one channel each: bilinear interpolation between the four cells around.
 *  channel: (m,) numbers. latitude, longitude: (m,) degrees, inside the grid. channels: how many the states have. */
export class Points {
  constructor(grid, channel, latitude, longitude, channels) {
    const [ny, nx] = grid.shape, m = channel.length;
    Object.assign(this, { m, nx, size: channels * ny * nx, corner: new Int32Array(m), weight: new Float32Array(4 * m) });
    const place = (value, values, n) => { // the cell before, and how far behind it
      const at = ((value - values[0]) / (values[n - 1] - values[0])) * (n - 1);
      const cell = Math.min(Math.max(Math.floor(at), 0), n - 2);
      return [cell, at - cell];
    };
    for (let i = 0; i < m; i++) {
      const [south, up] = place(latitude[i], grid.latitude, ny), [west, right] = place(longitude[i], grid.longitude, nx);
      this.corner[i] = (channel[i] * ny + south) * nx + west;
      this.weight.set([(1 - up) * (1 - right), (1 - up) * right, up * (1 - right), up * right], 4 * i);
    }
  }

  /** H x. */
  forward(x) {
    const { m, nx, size, corner, weight } = this, batch = x.length / size, y = new Float32Array(batch * m);
    for (let b = 0; b < batch; b++) {
      for (let i = 0, k = 0; i < m; i++, k += 4) {
        const at = b * size + corner[i], up = at + nx;
        y[b * m + i] = weight[k] * x[at] + weight[k + 1] * x[at + 1] + weight[k + 2] * x[up] + weight[k + 3] * x[up + 1];
      }
    }
    return y;
  }

  /** H' y. */
  adjoint(y) {
    const { m, nx, size, corner, weight } = this, batch = y.length / m, x = new Float32Array(batch * size);
    for (let b = 0; b < batch; b++) {
      for (let i = 0, k = 0; i < m; i++, k += 4) {
        const at = b * size + corner[i], value = y[b * m + i];
        x[at] += weight[k] * value;
        x[at + 1] += weight[k + 1] * value;
        x[at + nx] += weight[k + 2] * value;
        x[at + nx + 1] += weight[k + 3] * value;
      }
    }
    return x;
  }
}

/** Values of a smooth map: Gaussian means of the state, at points.
 *  scale: standard deviation of the Gaussian (km). channels: how many the states have. */
export class Blurred {
  constructor(kernels, points, grid, scale, channels) {
    const { latitude, longitude, shape: [ny, nx] } = grid, middle = (latitude[0] + latitude[ny - 1]) / 2;
    const width = (values, n) => ((values[n - 1] - values[0]) / (n - 1)) * KM_PER_DEGREE; // of a cell
    const means = (n, cell) => ({ shape: [1, n, n], data: gaussianMeans(n, scale / cell) });
    const squeezed = Math.cos((middle * Math.PI) / 180);
    // Not orthonormal, but two matrices like those of a basis.
    this.means = new Basis(kernels, means(ny, width(latitude, ny)), means(nx, width(longitude, nx) * squeezed));
    [this.points, this.channels, this.m] = [points, range(channels), points.m];
  }

  forward(x) {
    return this.points.forward(this.means.forward(x, this.channels));
  }

  adjoint(y) {
    return this.means.inverse(this.points.adjoint(y), this.channels);
  }
}

/** (n, n) matrix of running means with Gaussian weights of a standard deviation in cells; each row sums to one. */
function gaussianMeans(n, scale) {
  const rows = range(n).map((i) => {
    const row = range(n).map((j) => Math.exp(-0.5 * ((i - j) / scale) ** 2)).map((w) => (w < 1e-6 ? 0 : w));
    const total = row.reduce((sum, w) => sum + w, 0);
    return row.map((w) => w / total);
  });
  return Float32Array.from(rows.flat());
}

/** Several operators at once. places: for each the places (m_i,) of its values among all m. */
export class Stacked {
  constructor(parts, places) {
    [this.parts, this.places] = [parts, places];
    this.m = places.reduce((sum, place) => sum + place.length, 0);
  }

  forward(x) {
    const all = this.parts.map((part) => part.forward(x)), batch = all[0].length / this.parts[0].m;
    const y = new Float32Array(batch * this.m);
    this.places.forEach((place, part) => {
      for (let b = 0; b < batch; b++) place.forEach((at, i) => { y[b * this.m + at] = all[part][b * place.length + i]; });
    });
    return y;
  }

  adjoint(y) {
    const batch = y.length / this.m;
    return this.parts.map((part, number) => {
      const place = this.places[number], own = new Float32Array(batch * place.length);
      for (let b = 0; b < batch; b++) place.forEach((at, i) => { own[b * place.length + i] = y[b * this.m + at]; });
      return part.adjoint(own);
    }).reduce((sum, x) => sum.map((v, i) => v + x[i]));
  }
}
