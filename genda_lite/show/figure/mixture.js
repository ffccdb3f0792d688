// prior/mixture.py for one number that is of one of two kinds, equally likely: N(sides[j], width^2).

const normal = (x, mean, variance) => Math.exp((-0.5 * (x - mean) ** 2) / variance) / Math.sqrt(2 * Math.PI * variance);
const sumOf = (values) => values.reduce((total, v) => total + v, 0);

class MixturePrior {
  constructor({ sides, width }) {
    [this.means, this.variance] = [sides, width ** 2];
    // What would be estimated of many draws.
    this.spectrum = this.variance + sumOf(sides.map((m) => m ** 2)) / sides.length;
  }

  /** Of x = x0 + sigma n. */
  density(x, sigma) {
    return sumOf(this.means.map((mean) => normal(x, mean, this.variance + sigma ** 2))) / this.means.length;
  }

  /** Of either side, given x. */
  probabilities(x, sigma) {
    const spread = this.variance + sigma ** 2;
    const logarithms = this.means.map((mean) => (-0.5 * (x - mean) ** 2) / spread), most = Math.max(...logarithms);
    const each = logarithms.map((v) => Math.exp(v - most)), total = sumOf(each);
    return each.map((v) => v / total);
  }

  /** [E[x0 | x], Var[x0 | x]]: the second is sigma^2 times the derivative of the first. In plain loops: figures ask for it a
   *  hundred thousand times while a finger moves. */
  linearized(x, sigma) {
    const { means, variance } = this, noise = sigma ** 2, spread = variance + noise, gain = variance / spread;
    let nearest = Infinity, whole = 0, first = 0, second = 0;
    for (const mean of means) nearest = Math.min(nearest, (x - mean) ** 2);
    for (const mean of means) {
      const chance = Math.exp((-0.5 * ((x - mean) ** 2 - nearest)) / spread), estimate = mean + gain * (x - mean);
      whole += chance;
      first += chance * estimate;
      second += chance * estimate ** 2;
    }
    first /= whole;
    return [first, gain * noise + Math.max(0, second / whole - first ** 2)];
  }

  denoise(x, sigma) {
    return this.linearized(x, sigma)[0];
  }
}

/** baselines/closed_form.py: weights, means and the variance of both sides, given a value with an error. */
function exactPosterior(prior, value, error) {
  const spread = prior.variance + error ** 2, each = prior.means.map((mean) => normal(value, mean, spread));
  return {
    weights: each.map((v) => v / sumOf(each)),
    means: prior.means.map((mean) => mean + (prior.variance / spread) * (value - mean)),
    variance: (prior.variance * error ** 2) / spread,
  };
}
