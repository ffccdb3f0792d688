// Fields of a page as `figures.py` packs them, north first.

const WHITE = 4.5; // what grain is kept within, in standard deviations

/** Smooth fields, each (rows * columns,) values. */
async function unpackedFields({ text, ...how }, { shape: [rows, columns], scale: { low, high } }) {
  const field = waves(await inflate(text), how, rows, columns);
  return Array.from({ length: how.count }, (_, i) => field(i).map((v) => low + v * (high - low)));
}

/** A field of grain. */
async function unpackedGrain(text, { shape: [rows, columns] }) {
  return decoded(summed(await inflate(text), rows * columns)(0), { low: -WHITE, high: WHITE });
}
