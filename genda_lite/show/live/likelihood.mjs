// observe/likelihood.py: observations bound to a grid and a climatology, y = H x + e, in standardized units.
import { Blurred, Points, Stacked } from "./operators.mjs";
import { range } from "./spectral.mjs";

/** y, H and R in standardized units; R is diagonal plus a rank-one term s s' for each source of unknown reference.
 *  table: see `checkedTable` of problem.mjs. time: ms, of the climatology. */
export class Likelihood {
  constructor(prior, table, grid, time) {
    const { standardizer, channels, spectrum: { basis: { kernels } } } = prior, m = table.value.length;
    const channel = table.channel.map((name) => channels.indexOf(name)), scale = table.channel.map((name) => standardizer.scaleOf(name));
    this.operator = tableOperator(kernels, table, grid, channel, channels.length);
    const usual = Array.from(table.latitude, (latitude, i) => standardizer.climatology(table.channel[i], latitude, time) / scale[i]);
    if (table.smoothing.some((width) => width > 0)) { // smooth observations see a smooth climatology
      const [, nx] = grid.shape, rows = channels.map((name) => Array.from(grid.latitude, (latitude) => standardizer.climatology(name, latitude, time) / standardizer.scaleOf(name)));
      const seen = this.operator.forward(Float32Array.from(rows.flat().flatMap((v) => Array(nx).fill(v))));
      table.smoothing.forEach((width, i) => { if (width > 0) usual[i] = seen[i]; });
    }
    this.m = m;
    this.value = Float32Array.from(table.value, (v, i) => v / scale[i] - usual[i]);
    this.variance = Float32Array.from(table.error, (error, i) => (error / scale[i]) ** 2);
    const sources = [...new Set(table.source)].sort((a, b) => a - b);
    this.shared = sources.map((source) => Float32Array.from(table.referenceError, (error, i) => (table.source[i] === source ? error / scale[i] : 0)));
    this.shared = this.shared.filter((s) => s.some((v) => v !== 0));
    this.observedChannels = [...new Set(channel)].sort((a, b) => a - b); // often one or two of the state's
    const among = channel.map((c) => this.observedChannels.indexOf(c));
    this.observedOperator = tableOperator(kernels, table, grid, among, this.observedChannels.length);
  }

  /** R v for v (B, m). */
  covariance(v) {
    const { m, variance, shared } = this, image = v.map((value, i) => value * variance[i % m]);
    for (let b = 0; b < v.length; b += m) {
      for (const s of shared) {
        let along = 0;
        for (let i = 0; i < m; i++) along += s[i] * v[b + i];
        for (let i = 0; i < m; i++) image[b + i] += along * s[i];
      }
    }
    return image;
  }

  /** Errors with covariance R, (B, m), from white noise (B, m) and (B, number of shared terms). */
  drawErrors(white, whiteShared) {
    const { m, variance, shared } = this, k = shared.length;
    return white.map((v, i) => shared.reduce((sum, s, j) => sum + whiteShared[Math.floor(i / m) * k + j] * s[i % m], v * Math.sqrt(variance[i % m])));
  }
}

/** H of a table: points, and Gaussian means for each smoothing. */
function tableOperator(kernels, table, grid, channel, channels) {
  const widths = [...new Set(table.smoothing)].sort((a, b) => a - b);
  const places = widths.map((width) => range(table.value.length).filter((i) => table.smoothing[i] === width));
  const parts = widths.map((width, part) => {
    const some = (values) => places[part].map((i) => values[i]);
    const points = new Points(grid, some(channel), some(table.latitude), some(table.longitude), channels);
    return width ? new Blurred(kernels, points, grid, width, channels) : points;
  });
  return parts.length === 1 ? parts[0] : new Stacked(parts, places);
}
