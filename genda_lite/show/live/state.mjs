// state.py: the grid, and the way between physical units and standardized anomalies.
import { InputError } from "./errors.mjs";

export const KM_PER_DEGREE = (Math.PI * 6371) / 180;
const DAY = 86400e3; // ms

/** A date (ISO 8601, UTC) in ms; null where it is not known. */
export function milliseconds(date) {
  if (date === null || date === undefined) return null;
  const time = Date.parse(/T[^Z+]*$/.test(date) ? `${date}Z` : date);
  if (Number.isNaN(time)) throw new InputError(`date ${date} cannot be read, expected a form like 2019-02-23`);
  return time;
}

/** Constant, cosine and sine of the annual cycle at a time (ms); only the constant where it is not known (null). */
export function harmonics(time) {
  if (time === null) return [1, 0, 0];
  const phase = (2 * Math.PI * (time - Date.UTC(new Date(time).getUTCFullYear(), 0))) / DAY / 365.25;
  return [1, Math.cos(phase), Math.sin(phase)];
}

/** A regular grid: ascending `latitude` (ny,) and `longitude` (nx,), degrees. */
export class Grid {
  constructor(latitude, longitude) {
    for (const [name, values] of Object.entries({ latitude, longitude })) {
      const n = values?.length ?? 0, step = n > 1 ? (values[n - 1] - values[0]) / (n - 1) : NaN;
      const even = Array.from(values ?? []).every((v, i) => Math.abs(v - values[0] - i * step) < 1e-3 * step);
      if (!(step > 0 && even)) {
        throw new InputError(`grid ${name} must be at least two ascending numbers, evenly spaced (degrees)`);
      }
    }
    [this.latitude, this.longitude] = [latitude, longitude];
    this.shape = [latitude.length, longitude.length];
  }

  /** Whether a point lies inside the outermost rows and columns. */
  holds(latitude, longitude) {
    return [[this.latitude, latitude], [this.longitude, longitude]].every(([values, point]) => {
      const slack = 1e-6 * (values[1] - values[0]);
      return point >= values[0] - slack && point <= values[values.length - 1] + slack;
    });
  }

  toString() {
    const ends = (values, positive, negative) => {
      const [low, high] = [values[0], values[values.length - 1]], sign = low < 0 && high <= 0 ? -1 : 1;
      const [first, last] = [low, high].map((v) => Number((sign * v).toFixed(2)));
      return `${first}..${last} ${sign < 0 ? negative : positive}`;
    };
    return `${this.shape[0]} x ${this.shape[1]} points, ${ends(this.latitude, "N", "S")}, ${ends(this.longitude, "E", "W")}`;
  }
}

/** np.interp of one point, clamped at the ends. */
function interpolate(point, places, values) {
  let i = places.findIndex((place) => place >= point);
  if (i < 0) i = places.length - 1;
  if (i === 0 || point >= places[i]) return values[i];
  return values[i - 1] + ((point - places[i - 1]) / (places[i] - places[i - 1])) * (values[i] - values[i - 1]);
}

/** Climatology and scale of each channel, and the Ekman response.
 *  latitude: (n,) degrees. harmonics: (3, C, n), in the channels' units. scale: (C,). channels: (C,) names.
 *  ekman: (2, n), real and imaginary part (s m-1). */
export class Standardizer {
  constructor(latitude, harmonics, scale, channels, ekman) {
    Object.assign(this, { latitude, harmonics, scale, channels, ekman });
  }

  /** Ekman response at a latitude (degrees), [real, imaginary]: current = response times kinematic stress. */
  ekmanAt(latitude) {
    const n = this.latitude.length;
    return [0, n].map((from) => interpolate(latitude, this.latitude, this.ekman.subarray(from, from + n)));
  }

  scaleOf(channel) {
    return this.scale[this.channels.indexOf(channel)];
  }

  /** Of a channel at a latitude (degrees) and time (ms). */
  climatology(channel, latitude, time) {
    const n = this.latitude.length, first = this.channels.indexOf(channel), season = harmonics(time);
    return season.reduce((sum, factor, h) => {
      const from = (h * this.channels.length + first) * n;
      return sum + factor * interpolate(latitude, this.latitude, this.harmonics.subarray(from, from + n));
    }, 0);
  }

  /** Physical fields, channel -> (members, ny, nx), of standardized states (members, C, ny, nx).
   *  state: names of the states' channels. wanted: of those to return. */
  toFields(states, state, grid, time, wanted) {
    const [ny, nx] = grid.shape, n = ny * nx, C = state.length, members = states.length / (C * n);
    return Object.fromEntries(wanted.map((channel) => {
      const scale = this.scaleOf(channel), c = state.indexOf(channel), field = new Float32Array(members * n);
      const usual = Array.from(grid.latitude, (latitude) => this.climatology(channel, latitude, time));
      for (let b = 0; b < members; b++) {
        for (let p = 0; p < n; p++) field[b * n + p] = scale * states[(b * C + c) * n + p] + usual[Math.floor(p / nx)];
      }
      return [channel, field];
    }));
  }
}
