// prior/gaussian.py: multivariate optimal interpolation, seen as a diffusion model.

export class GaussianPrior {
  name = "gaussian";

  /** As in `DiffusionPrior`. */
  constructor(spectrum, standardizer, domain, channels) {
    Object.assign(this, { spectrum, standardizer, domain, channels, shape: spectrum.shape });
    this.inflation = channels.map(() => 1);
  }

  /** The Wiener filter, which is exact. */
  denoise(x, sigma) {
    return this.spectrum.wienerFilter(x, sigma);
  }

  covariance(sigma, from, to) {
    return this.spectrum.posteriorCovariance(sigma, from, to);
  }
}
