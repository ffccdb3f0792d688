// posterior/problem.py (and the checks of observe/table.py): what is to be solved, or a sentence why it cannot be.
import { domainHolds, gridContext } from "./base.mjs";
import { InputError } from "./errors.mjs";
import { Likelihood } from "./likelihood.mjs";
import { range } from "./spectral.mjs";
import { Grid, milliseconds } from "./state.mjs";

const CONTINUED = 1.5; // degrees of latitude to which the climatology can be continued
const SMALLEST = 1e-3; // error, of its channel's scale
const MOST = 1000; // observations: the work of a factor grows with the cube of their number

/** A table of m observations: arrays `channel` (names), `latitude`, `longitude` (degrees), `value` and `error` (the channel's
 *  units), and, zero where they are not given, `source` (numbers), `referenceError` and `smoothing` (km): one number, or (m,). */
export function checkedTable(given, channels) {
  const m = given?.value?.length ?? 0;
  const column = (name, otherwise) => {
    const values = given?.[name] ?? otherwise;
    if (typeof values === "number" || typeof values === "string") return Array(m).fill(values);
    if (values?.length !== m) throw new InputError(`the observations have ${values?.length ?? "no"} numbers of ${name} for ${m} values, expected one each`);
    return Array.from(values);
  };
  const table = {};
  if (!m) return { value: [] };
  for (const name of ["channel", "latitude", "longitude", "value", "error"]) table[name] = column(name);
  for (const name of ["source", "referenceError", "smoothing"]) table[name] = column(name, 0);
  const stranger = table.channel.find((name) => !channels.includes(name));
  if (stranger !== undefined) throw new InputError(`channel '${stranger}' is not part of the state, expected one of ${channels.join(", ")}`);
  for (const name of ["latitude", "longitude", "value", "error", "referenceError", "smoothing"]) {
    const least = { error: Number.MIN_VALUE, referenceError: 0, smoothing: 0 }[name] ?? -Infinity;
    const bad = table[name].findIndex((v) => !(Number.isFinite(v) && v >= least));
    if (bad >= 0) throw new InputError(`${name} of observation ${bad + 1} is ${table[name][bad]}, expected a number${least === -Infinity ? "" : least ? " above zero" : ", zero or more"}`);
  }
  return table;
}

/** At most `MOST` observations, evenly out of all, and the line that says so. */
function thinned(table) {
  const m = table.value.length;
  if (m <= MOST) return { table, note: "" };
  const kept = range(MOST).map((i) => Math.floor((i * m) / MOST));
  const some = Object.fromEntries(Object.entries(table).map(([name, values]) => [name, kept.map((i) => values[i])]));
  return { table: some, note: `${MOST} of ${m} observations are used, evenly chosen: more would take too long here.` };
}

function checkGrid(prior, grid) {
  const [, ny, nx] = prior.shape, [south, north] = prior.domain.latitude;
  if (String(grid.shape) !== String([ny, nx])) throw new InputError(`the grid has ${grid.shape.join(" x ")} points, expected ${ny} x ${nx}`);
  const beyond = Math.max(south - grid.latitude[0], grid.latitude[ny - 1] - north);
  if (beyond > CONTINUED) {
    throw new InputError(`the grid (${grid}) lies up to ${beyond.toFixed(2)} degrees outside the prior's latitudes (${south}..${north} N), expected at most ${CONTINUED}`);
  }
}

function checkErrors(likelihood, table) {
  const small = likelihood.variance.findIndex((variance) => Math.sqrt(variance) < SMALLEST);
  if (small >= 0) {
    throw new InputError(`the error of observation ${small + 1}, ${table.error[small]} of ${table.channel[small]}, is too small to reckon with, expected at least ${SMALLEST} of what its map varies by`);
  }
}

/** Bind observations to a grid and date.
 *  observations: see `checkedTable`; none at all are allowed. grid: {latitude, longitude}; inside the prior's domain its position is
 *  used. date: ISO 8601, UTC, for season and climatology; without one their annual mean. channels: that are asked for.
 *  Returns {grid, time, context, table, note}, and a `likelihood` where anything is observed. */
export function buildProblem(prior, { observations, grid: { latitude, longitude } = {}, date, channels = prior.channels }) {
  const unknown = channels.find((name) => !prior.channels.includes(name));
  if (unknown !== undefined) throw new InputError(`channel '${unknown}' is asked for, expected some of ${prior.channels.join(", ")}`);
  const grid = new Grid(latitude, longitude), time = milliseconds(date);
  checkGrid(prior, grid);
  const { table, note } = thinned(checkedTable(observations, prior.channels));
  const problem = { grid, time, table, note, context: gridContext(prior.domain, grid, time, domainHolds(prior.domain, grid)) };
  if (!table.value.length) return problem;
  const outside = range(table.value.length).filter((i) => !grid.holds(table.latitude[i], table.longitude[i]));
  if (outside.length) {
    const [first] = outside, [north, east] = [table.latitude[first], table.longitude[first]].map((v) => v.toFixed(2));
    throw new InputError(`${outside.length} of ${table.value.length} observations lie outside the grid (${grid}), the first at ${north} N ${east} E`);
  }
  const likelihood = new Likelihood(prior, table, grid, time);
  checkErrors(likelihood, table);
  return { ...problem, likelihood };
}
