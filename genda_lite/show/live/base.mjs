// prior/base.py: where and when a window lies.
import { harmonics } from "./state.mjs";

export const CONTEXT_CHANNELS = 5; // position known, latitude, longitude; cosine and sine of the season

/** Whether a grid lies inside a domain {latitude: [south, north], longitude: [west, east]}. */
export function domainHolds(domain, grid) {
  return ["latitude", "longitude"].every((name) => {
    const [low, high] = domain[name], values = grid[name];
    return values[0] >= low - 1e-6 && values[values.length - 1] <= high + 1e-6;
  });
}

/** The context (5, ny, nx) of a grid and time (ms); the position is not told where it is not `known`. */
export function gridContext(domain, grid, time, known) {
  const [ny, nx] = grid.shape, n = ny * nx, context = new Float32Array(CONTEXT_CHANNELS * n), [, cosine, sine] = harmonics(time);
  const scaled = (value, [low, high]) => (known ? (2 * value - low - high) / (high - low) : 0);
  for (let p = 0; p < n; p++) {
    const north = scaled(grid.latitude[Math.floor(p / nx)], domain.latitude), east = scaled(grid.longitude[p % nx], domain.longitude);
    [Number(known), north, east, cosine, sine].forEach((value, c) => { context[c * n + p] = value; });
  }
  return context;
}
