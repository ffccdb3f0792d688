// posterior/problem.py, with the checks of observe/table.py: what is to be solved, or a sentence why it cannot be.
import { domainHolds, gridContext } from "./base.mjs";
import { fieldsOf } from "./currents.mjs";
import { InputError } from "./errors.mjs";
import { range } from "./kernels.mjs";
import { Likelihood } from "./likelihood.mjs";
import { Grid, milliseconds } from "./state.mjs";

const CONTINUED = 1.5; // degrees of latitude to which the climatology can be continued
const SMALLEST = 1e-3; // error, of its channel's scale
const MOST = 1000; // observations: the work of a factor grows with the cube of their number

/** A table of m observations: arrays `channel` (names), `latitude`, `longitude` (degrees), `value`, `error` (the channel's
 *  units) and, zero where not given, `source` (numbers), `referenceError` (units), `smoothing` (km); or one for all of
 *  them. See `Observations` in Python. */
function checkedTable(given, channels) {
  const m = given?.value?.length ?? 0, table = {};
  if (!m) return { value: [] };
  for (const name of ["channel", "latitude", "longitude", "value", "error", "source", "referenceError", "smoothing"]) {
    const optional = ["source", "referenceError", "smoothing"].includes(name), column = given[name] ?? (optional ? 0 : []);
    table[name] = ["number", "string"].includes(typeof column) ? Array(m).fill(column) : Array.from(column);
    if (table[name].length !== m) {
      throw new InputError(`the observations have ${table[name].length} numbers of ${name} for ${m} values, expected one each`);
    }
  }
  const stranger = table.channel.find((name) => !channels.includes(name));
  if (stranger !== undefined) {
    throw new InputError(`channel '${stranger}' is not part of the state, expected one of ${channels.join(", ")}`);
  }
  const rules = [
    [["latitude", "longitude", "value"], () => true, ""],
    [["error"], (v) => v > 0, " above zero"],
    [["referenceError", "smoothing"], (v) => v >= 0, ", zero or more"],
  ];
  for (const [names, holds, expected] of rules) {
    for (const name of names) {
      const bad = table[name].findIndex((v) => !(Number.isFinite(v) && holds(v)));
      if (bad < 0) continue;
      throw new InputError(`${name} of observation ${bad + 1} is ${table[name][bad]}, expected a number${expected}`);
    }
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
  if (String(grid.shape) !== String([ny, nx])) {
    throw new InputError(`the grid has ${grid.shape.join(" x ")} points, expected ${ny} x ${nx}`);
  }
  const beyond = Math.max(south - grid.latitude[0], grid.latitude[ny - 1] - north);
  if (beyond > CONTINUED) {
    throw new InputError(`the grid (${grid}) lies up to ${beyond.toFixed(2)} degrees outside the prior's latitudes ` +
      `(${south}..${north} N), expected at most ${CONTINUED}`);
  }
}

function checkPlaces(table, grid) {
  const outside = range(table.value.length).filter((i) => !grid.holds(table.latitude[i], table.longitude[i]));
  if (!outside.length) return;
  const [north, east] = [table.latitude, table.longitude].map((values) => values[outside[0]].toFixed(2));
  throw new InputError(`${outside.length} of ${table.value.length} observations lie outside the grid (${grid}), ` +
    `the first at ${north} N ${east} E`);
}

function checkErrors(likelihood, table) {
  const small = likelihood.variance.findIndex((variance) => Math.sqrt(variance) < SMALLEST);
  if (small < 0) return;
  throw new InputError(`the error of observation ${small + 1}, ${table.error[small]} of ${table.channel[small]}, is too ` +
    `small to reckon with, expected at least ${SMALLEST} of what its map varies by`);
}

/** Bind observations to a grid and date: {grid, time, context, table, note}, and a `likelihood` where any are given.
 *
 *  observations: see `checkedTable`. grid: {latitude, longitude}, of which the prior knows the place where it lies in its
 *    domain. date: ISO 8601, UTC; without one the climatology is the annual mean. channels: that are asked for. */
export function buildProblem(prior, { observations, grid: { latitude, longitude } = {}, date, channels = prior.channels }) {
  const known = fieldsOf(prior.channels), stranger = channels.find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw new InputError(`channel '${stranger}' is asked for, expected some of ${known.join(", ")}`);
  }
  const grid = new Grid(latitude, longitude), time = milliseconds(date);
  checkGrid(prior, grid);
  const { table, note } = thinned(checkedTable(observations, prior.channels));
  const context = gridContext(prior.domain, grid, time, domainHolds(prior.domain, grid));
  if (!table.value.length) return { grid, time, context, table, note };
  checkPlaces(table, grid);
  const likelihood = new Likelihood(prior, table, grid, time);
  checkErrors(likelihood, table);
  return { grid, time, context, table, note, likelihood };
}
