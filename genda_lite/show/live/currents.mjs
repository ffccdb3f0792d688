// ocean/currents.py and prepare/decompose.py: the total current of a state, and its speed.
import { range } from "./kernels.mjs";
import { KM_PER_DEGREE } from "./state.mjs";

export const SPEED = "speed"; // a field that is derived, not a channel
const PARTS = ["zos", "u_ageo_eddy", "v_ageo_eddy", "uas", "vas"]; // of the state, that the current is made of
const ROTATION_RATE = 7.2921e-5; // s-1
const GRAVITY = 9.81; // m s-2
const AIR_DENSITY = 1.22, SEA_DENSITY = 1025; // kg m-3
const SMOOTHING = 1.5; // cells; standard deviation of the Gaussian on the geostrophic current
const METRES_PER_DEGREE = 1e3 * KM_PER_DEGREE;

/** The fields that can be drawn from a state of these channels. */
export const fieldsOf = (channels) => (PARTS.every((name) => channels.includes(name)) ? [...channels, SPEED] : channels);

/** Derivative of a field (ny, nx) along an axis, per cell: centred, one-sided at the edges. */
function slope(field, [ny, nx], across) {
  const stride = across ? 1 : nx, last = (across ? nx : ny) - 1;
  return field.map((_, p) => {
    const at = across ? p % nx : Math.floor(p / nx), back = at ? stride : 0, on = at < last ? stride : 0;
    return (field[p + on] - field[p - back]) / ((back + on) / stride);
  });
}

/** Weights of a Gaussian out to four standard deviations, as scipy cuts it. */
const TAPS = (() => {
  const reach = Math.floor(4 * SMOOTHING + 0.5);
  const weights = range(2 * reach + 1).map((i) => Math.exp(-0.5 * ((i - reach) / SMOOTHING) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
})();

/** Gaussian smoothing; beyond the edges the outermost values are repeated. */
function smoothed(field, [ny, nx]) {
  const reach = (TAPS.length - 1) / 2;
  for (const [stride, n] of [[nx, ny], [1, nx]]) {
    field = field.map((_, p) => {
      const at = Math.floor(p / stride) % n, start = p - stride * at;
      let sum = 0;
      for (let k = 0; k < TAPS.length; k++) sum += TAPS[k] * field[start + stride * Math.min(n - 1, Math.max(0, at + k - reach))];
      return sum;
    });
  }
  return field;
}

/** Speed of the total current, m/s (members, ny, nx): smoothed geostrophic + Ekman + residual.
 *
 *  fields: channel -> (members, ny, nx) in the channels' units. standardizer: knows the Ekman response. */
export function currentSpeed(fields, standardizer, grid) {
  const { shape: [ny, nx], latitude, longitude } = grid, n = ny * nx;
  const radians = Array.from(latitude, (degrees) => (degrees * Math.PI) / 180);
  const per = ([a, b]) => METRES_PER_DEGREE * (b - a); // metres a cell
  const factor = radians.map((phi) => GRAVITY / (2 * ROTATION_RATE * Math.sin(phi)));
  const response = Array.from(latitude, (degrees) => standardizer.ekmanAt(degrees));
  const speed = new Float32Array(fields.zos.length);
  for (let first = 0; first < speed.length; first += n) {
    const { zos, u_ageo_eddy, v_ageo_eddy, uas, vas } = Object.fromEntries(PARTS.map((name) => [name, fields[name].subarray(first, first + n)]));
    const level = Float64Array.from(zos), row = (p) => Math.floor(p / nx);
    const balanced = [
      slope(level, grid.shape, false).map((d, p) => (-factor[row(p)] * d) / per(latitude)),
      slope(level, grid.shape, true).map((d, p) => (factor[row(p)] / Math.cos(radians[row(p)]) * d) / per(longitude)),
    ].map((part) => smoothed(part, grid.shape));
    for (let p = 0; p < n; p++) {
      const wind = Math.hypot(uas[p], vas[p]), [real, imaginary] = response[row(p)];
      const drag = (AIR_DENSITY / SEA_DENSITY) * (0.75 + 0.067 * wind) * 1e-3 * wind; // Garratt (1977)
      const u = balanced[0][p] + drag * (real * uas[p] - imaginary * vas[p]) + u_ageo_eddy[p];
      const v = balanced[1][p] + drag * (real * vas[p] + imaginary * uas[p]) + v_ageo_eddy[p];
      speed[first + p] = Math.hypot(u, v);
    }
  }
  return speed;
}

/** Fields of standardized states, channel -> (members, ny, nx), the derived ones, too. */
export function drawnFields(states, channels, standardizer, grid, time, wanted) {
  const derived = wanted.includes(SPEED), needed = derived ? [...new Set([...wanted, ...PARTS])].filter((name) => name !== SPEED) : wanted;
  const fields = standardizer.toFields(states, channels, grid, time, needed);
  if (derived) fields[SPEED] = currentSpeed(fields, standardizer, grid);
  return Object.fromEntries(wanted.map((name) => [name, fields[name]]));
}
