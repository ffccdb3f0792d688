// observe/likelihood.py: observations bound to a grid and a climatology, y = H x + e, in standardized units.
import { range } from "./kernels.mjs";
import { Blurred, Points, Stacked } from "./operators.mjs";

/** y, H and R in standardized units; R is diagonal plus a rank-one term s s' for each source of unknown reference.
 *  table: see `checkedTable` in problem.mjs. time: ms, of the climatology. */
export class Likelihood {
  constructor(prior, table, grid, time) {
    const { standardizer, channels, spectrum: { basis: { kernels } } } = prior;
    const channel = table.channel.map((name) => channels.indexOf(name));
    const scale = table.channel.map((name) => standardizer.scaleOf(name));
    const anomaly = (name, latitude) => standardizer.climatology(name, latitude, time) / standardizer.scaleOf(name);
    this.m = table.value.length;
    this.operator = tableOperator(kernels, table, grid, channel, channels.length);
    const usual = table.channel.map((name, i) => anomaly(name, table.latitude[i]));
    if (table.smoothing.some((width) => width > 0)) { // smooth observations see a smooth climatology
      const rows = channels.flatMap((name) => Array.from(grid.latitude, (latitude) => anomaly(name, latitude)));
      const seen = this.operator.forward(Float32Array.from(rows.flatMap((v) => Array(grid.shape[1]).fill(v))));
      table.smoothing.forEach((width, i) => { if (width > 0) usual[i] = seen[i]; });
    }
    this.value = Float32Array.from(table.value, (v, i) => v / scale[i] - usual[i]);
    this.variance = Float32Array.from(table.error, (error, i) => (error / scale[i]) ** 2);
    const sources = [...new Set(table.source)].sort((a, b) => a - b);
    const constant = (source) => (s, i) => (table.source[i] === source ? s / scale[i] : 0);
    this.shared = sources.map((source) => Float32Array.from(table.referenceError, constant(source)));
    this.shared = this.shared.filter((s) => s.some((v) => v !== 0));
    this.observedChannels = [...new Set(channel)].sort((a, b) => a - b); // often one or two of the state's
    const place = channel.map((c) => this.observedChannels.indexOf(c));
    this.observedOperator = tableOperator(kernels, table, grid, place, this.observedChannels.length);
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

  /** Errors with covariance R, (B, m), from white noise (B, m) and, for the constants, (B, k). */
  drawErrors(white, whiteShared) {
    const { m, variance, shared } = this, k = shared.length;
    const constants = (i) => shared.reduce((sum, s, j) => sum + whiteShared[Math.floor(i / m) * k + j] * s[i % m], 0);
    return white.map((v, i) => v * Math.sqrt(variance[i % m]) + constants(i));
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
