// Maps as `static.py` packs them, unpacked.

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(inflated).arrayBuffer());
}

/** Maps of one byte a value: a function from the number of a map to its codes. The inverse of `pack` in static.py. */
function summed(codes, size) {
  for (let i = 1; i < codes.length; i++) codes[i] += codes[i - 1];
  return slices(codes, size);
}

/** Smooth maps, kept as rounded amplitudes of cosines: a function from the number of a map to its values, 0 to 1 within the
 *  range that they were packed for. The inverse of `pack_smooth`. */
function waves(planes, { step, count }, rows, columns) {
  const total = planes.length / 2;
  const wave = (n) => Array.from({ length: n }, (_, k) =>
    Float32Array.from({ length: n }, (_, i) => Math.sqrt((k ? 2 : 1) / n) * Math.cos((Math.PI * (i + 0.5) * k) / n)));
  const [vertical, horizontal] = [wave(rows), wave(columns)];
  const squared = (place) => Math.floor(place / columns) ** 2 + (place % columns) ** 2;
  const order = Array.from({ length: rows * columns }, (_, i) => i).sort((a, b) => squared(a) - squared(b) || a - b);
  let [last, values] = [-1, null];
  return (map) => {
    if (map === last) return values;
    const half = new Float32Array(rows * columns); // summed over vertical waves: row of the map, horizontal wave
    for (let k = 0; k * count < total; k++) {
      const at = k * count + map;
      const folded = planes[at] + 256 * planes[at + total];
      if (!folded) continue;
      const amplitude = step * (folded % 2 ? -(folded + 1) / 2 : folded / 2);
      const [ky, kx] = [Math.floor(order[k] / columns), order[k] % columns];
      for (let y = 0; y < rows; y++) half[y * columns + kx] += amplitude * vertical[ky][y];
    }
    [last, values] = [map, new Float32Array(rows * columns)];
    for (let y = 0; y < rows; y++) {
      const line = values.subarray(y * columns, (y + 1) * columns);
      for (let kx = 0; kx < columns; kx++) {
        const amplitude = half[y * columns + kx];
        if (amplitude) for (let x = 0; x < columns; x++) line[x] += amplitude * horizontal[kx][x];
      }
    }
    return values;
  };
}
