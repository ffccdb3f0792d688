// prior/unet.py: the network. Weights stay in the kernels' memory; planes of h x h values stand in frames of zeros there.
import { range } from "./kernels.mjs";

const GROUPS = 8;

/** Shapes of the weights by their names, and thereby the architecture. */
export function weightShapes(inputs, outputs, { width, multipliers, blocks, patch }) {
  const shapes = {}, embedding = 4 * width, widths = multipliers.map((m) => m * width);
  const layer = (name, out, ...rest) => Object.assign(shapes, { [`${name}.weight`]: [out, ...rest], [`${name}.bias`]: [out] });
  const block = (name, from, to) => {
    layer(`${name}.norm1`, from);
    layer(`${name}.conv1`, to, from, 3, 3);
    layer(`${name}.modulation`, 2 * to, embedding);
    layer(`${name}.norm2`, to);
    layer(`${name}.conv2`, to, to, 3, 3);
    if (from !== to) layer(`${name}.skip`, to, from, 1, 1);
  };
  layer("embedding.layers.0", embedding, 2 * width);
  layer("embedding.layers.2", embedding, embedding);
  layer("first", widths[0], inputs * patch ** 2, 3, 3);
  let channels = widths[0];
  widths.forEach((w, level) => {
    for (const b of range(blocks)) block(`down.${level}.${b}`, b ? w : channels, w);
    if (level < widths.length - 1) layer(`downsample.${level}`, w, w, 3, 3);
    channels = w;
  });
  for (const i of [0, 1]) block(`middle.${i}`, channels, channels);
  widths.toReversed().forEach((w, level) => {
    for (const b of range(blocks)) block(`up.${level}.${b}`, b ? w : channels + w, w);
    channels = w;
  });
  layer("last.0", channels);
  layer("last.2", outputs * patch ** 2, channels, 3, 3);
  return shapes;
}

const silu = (x) => x.map((v) => v / (1 + Math.exp(-v)));
const side = (h) => ((h + 2) * (h + 1) + 4) & ~3; // numbers in a framed plane, see kernels.c

/** (inputs, h, h) and a noise level -> (outputs, h, h), a member at a time.
 *  config: of the checkpoint; patch is 2. weights: name -> {shape, data}. */
export class UNet {
  constructor(kernels, inputs, outputs, config, weights, h) {
    Object.assign(this, { kernels, inputs, outputs, config, weights, h });
    this.at = Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, kernels.put(data)]));
    this.taps = {}; // offsets of a convolution's nine taps in planes of a side
    this.stridedTaps = {}; // the same among four planes into which one of twice the side is folded
    const shifts = range(9).map((t) => [Math.floor(t / 3) - 1, (t % 3) - 1]);
    for (let level = 0, s = h / 2; level < config.multipliers.length; level++, s /= 2) {
      this.taps[s] = kernels.integers(shifts.map(([y, x]) => y * (s + 1) + x));
      // An odd phase lies one cell back for the first tap, an even one in place for the middle tap.
      this.stridedTaps[s] = kernels.integers(shifts.map(([y, x]) =>
        ((y ? 2 : 0) + (x ? 1 : 0)) * side(s) + (y < 0 ? -(s + 1) : 0) + (x < 0 ? -1 : 0)));
    }
    this.frequencies = range(config.width).map((i) => Math.exp(Math.log(0.5) + (Math.log(100) * i) / (config.width - 1)));
    const modulated = Object.keys(weights).filter((name) => name.endsWith(".modulation.bias"));
    const room = (name) => [name.slice(0, -".bias".length), kernels.floats(weights[name].data.length)];
    this.modulations = Object.fromEntries(modulated.map(room));
    this.level = null; // the noise level that the modulations are for
  }

  #linear(name, x) {
    const w = this.weights[`${name}.weight`].data, b = this.weights[`${name}.bias`].data, n = x.length;
    return Float32Array.from(b, (sum, i) => {
      for (let j = 0; j < n; j++) sum += w[i * n + j] * x[j];
      return sum;
    });
  }

  #setLevel(level) {
    if (level === this.level) return;
    const angles = this.frequencies.map((f) => level * f), waves = [...angles.map(Math.sin), ...angles.map(Math.cos)];
    const embedding = silu(this.#linear("embedding.layers.2", silu(this.#linear("embedding.layers.0", waves))));
    for (const [name, at] of Object.entries(this.modulations)) {
      const values = this.#linear(name, embedding);
      this.kernels.view(at, values.length).set(values);
    }
    this.level = level;
  }

  #planes(channels, h) {
    return this.kernels.floats(channels * side(h));
  }

  /** A layer of taps over framed planes at x; row and plane: numbers from one output's weights, or input, to the next. */
  #affine(name, out, x, h, row, plane, offsets, taps, inputs) {
    const outputs = this.weights[`${name}.bias`].data.length, columns = (h * (h + 1) + 3) & ~3, inside = 4 * (h + 2);
    this.kernels.wasm.affine(out + inside, side(h), this.at[`${name}.weight`], row, x + inside, plane, offsets,
      outputs, columns, inputs, taps, this.at[`${name}.bias`]);
    return out;
  }

  #convolve(name, x, h, out) {
    const [outputs, inputs, size] = this.weights[`${name}.weight`].shape, taps = size ** 2;
    const offsets = size === 3 ? this.taps[h] : this.kernels.straight;
    return this.#affine(name, out ?? this.#planes(outputs, h), x, h, inputs * taps, side(h), offsets, taps, inputs);
  }

  /** Group norm and SiLU. */
  #normalize(name, x, h, modulation = 0) {
    const channels = this.weights[`${name}.bias`].data.length, out = this.#planes(channels, h);
    const [weight, bias, shift] = [this.at[`${name}.weight`], this.at[`${name}.bias`], modulation && modulation + 4 * channels];
    this.kernels.wasm.normalize(out, x, channels, GROUPS, h, weight, bias, modulation, shift);
    return out;
  }

  /** `ResidualBlock`. */
  #block(name, x, h) {
    const outputs = this.weights[`${name}.conv1.bias`].data.length, out = this.#planes(outputs, h);
    this.kernels.scratch(() => {
      const hidden = this.#convolve(`${name}.conv1`, this.#normalize(`${name}.norm1`, x, h), h);
      const modulated = this.#normalize(`${name}.norm2`, hidden, h, this.modulations[`${name}.modulation`]);
      this.#convolve(`${name}.conv2`, modulated, h, out);
      const skip = this.at[`${name}.skip.weight`] ? this.#convolve(`${name}.skip`, x, h) : x;
      this.kernels.wasm.add(out, skip, outputs * side(h));
    });
    return out;
  }

  /** Every second row and column of a convolution. */
  #downsample(name, x, h) {
    const channels = this.weights[`${name}.bias`].data.length, half = h / 2, out = this.#planes(channels, half);
    this.kernels.scratch(() => {
      const phases = this.#planes(4 * channels, half);
      this.kernels.wasm.fold(phases, x, channels, h, 1);
      this.#affine(name, out, phases, half, channels * 9, 4 * side(half), this.stridedTaps[half], 9, channels);
    });
    return out;
  }

  forward(input, level) {
    this.#setLevel(level);
    const { kernels, config } = this, widths = config.multipliers.map((m) => m * config.width), last = widths.length - 1;
    return kernels.scratch(() => {
      let h = this.h / 2;
      const folded = this.#planes(4 * this.inputs, h);
      kernels.wasm.fold(folded, kernels.put(input), this.inputs, this.h, 0);
      let x = this.#convolve("first", folded, h);
      const skips = [];
      widths.forEach((w, l) => {
        for (const b of range(config.blocks)) x = this.#block(`down.${l}.${b}`, x, h);
        skips.push(x);
        if (l === last) return;
        x = this.#downsample(`downsample.${l}`, x, h);
        h /= 2;
      });
      for (const i of [0, 1]) x = this.#block(`middle.${i}`, x, h);
      let channels = widths[last];
      widths.toReversed().forEach((w, l) => {
        const size = l ? 2 * h : h, both = this.#planes(channels + w, size), beside = both + 4 * channels * side(size);
        if (l) kernels.wasm.enlarge(both, x, channels, h);
        else kernels.view(both, channels * side(h)).set(kernels.view(x, channels * side(h)));
        h = size;
        kernels.view(beside, w * side(h)).set(kernels.view(skips.pop(), w * side(h)));
        x = both;
        for (const b of range(config.blocks)) x = this.#block(`up.${l}.${b}`, x, h);
        channels = w;
      });
      const size = this.outputs * this.h ** 2, out = kernels.floats(size);
      kernels.wasm.unfold(out, this.#convolve("last.2", this.#normalize("last.0", x, h), h), this.outputs, this.h);
      return kernels.view(out, size).slice();
    });
  }
}
