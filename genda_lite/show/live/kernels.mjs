// The kernels of kernels.c and their memory, in the place that torch has in Python.

const SLACK = 256; // bytes around an array: shifted planes are read a little beyond their ends
const PAGE = 65536;

/** 0, 1, … n - 1. */
export const range = (n) => Array.from({ length: n }, (_, i) => i);

/** A stack of arrays, known by their addresses; `wasm` holds the functions of kernels.c. */
export class Kernels {
  /** bytes: of kernels.wasm or kernels_relaxed.wasm. */
  static async open(bytes) {
    const memory = new WebAssembly.Memory({ initial: 64 });
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
    return new Kernels(instance.exports, memory);
  }

  constructor(wasm, memory) {
    [this.wasm, this.memory] = [wasm, memory];
    this.top = wasm.__heap_base.value;
    this.straight = this.integers([0]); // the one tap of a product
  }

  /** Room for an array, until the `scratch` around it ends. */
  take(bytes) {
    const at = (this.top + SLACK + 15) & ~15;
    this.top = at + bytes + SLACK;
    const missing = this.top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE) + 16);
    return at;
  }

  floats(count) {
    return this.take(4 * count);
  }

  /** The numbers at an address; valid until more room is taken. */
  view(at, count, Type = Float32Array) {
    return new Type(this.memory.buffer, at, count);
  }

  put(values) {
    const at = this.floats(values.length);
    this.view(at, values.length).set(values);
    return at;
  }

  integers(values) {
    const at = this.take(4 * values.length);
    this.view(at, values.length, Int32Array).set(values);
    return at;
  }

  /** Do some work, and give back the room that it took. */
  scratch(work) {
    const before = this.top;
    try {
      return work();
    } finally {
      this.top = before;
    }
  }

  /** out (rows, columns) = a (rows, inputs) x (inputs, columns), all addresses; rows and columns multiples of four. */
  product(out, a, x, rows, inputs, columns) {
    this.wasm.affine(out, columns, a, inputs, x, columns, this.straight, rows, columns, inputs, 1, 0);
  }
}
