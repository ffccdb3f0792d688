// torch.randn on a processor: a seed gives the reader the members that it gives in Python.

/** The Mersenne Twister (Matsumoto & Nishimura 1998, MT19937): torch.Generator().manual_seed(seed). */
export class Generator {
  /** seed: a BigInt, of which the last 32 bits count. */
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = Number(seed & 0xffffffffn);
    for (let i = 1; i < 624; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.place = 624;
    this.spare = null; // the second of a pair of normal numbers
  }

  /** 32 random bits. */
  next() {
    const { state } = this;
    if (this.place === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Fill an array with standard normal numbers: torch.randn(n). Box-Muller in blocks of 16, single below. */
  normal(out) {
    const n = out.length, uniform = () => (this.next() & 0xffffff) / 0x1000000;
    if (n < 16) {
      for (let i = 0; i < n; i++) out[i] = this.single();
      return;
    }
    const block = (from) => {
      for (let i = from; i < from + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - out[i])), angle = 2 * Math.PI * out[i + 8];
        out[i] = radius * Math.cos(angle);
        out[i + 8] = radius * Math.sin(angle);
      }
    };
    for (let i = 0; i < n; i++) out[i] = uniform();
    for (let from = 0; from + 16 <= n; from += 16) block(from);
    if (n % 16) { // the last sixteen are drawn anew
      for (let i = n - 16; i < n; i++) out[i] = uniform();
      block(n - 16);
    }
  }

  single() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const uniform = () => {
      const high = this.next(), low = this.next();
      return ((high & 0x1fffff) * 2 ** 32 + low) / 2 ** 53;
    };
    const angle = 2 * Math.PI * uniform(), radius = Math.sqrt(-2 * Math.log1p(-uniform()));
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
