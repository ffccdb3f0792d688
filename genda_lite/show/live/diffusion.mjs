// prior/diffusion.py: the preconditioned network, D(x, sigma) = c_skip x + c_out F(c_in x, c_skip x, sigma).
import { CONTEXT_CHANNELS } from "./base.mjs";
import { range } from "./kernels.mjs";
import { UNet } from "./unet.mjs";

// Inflation of the shipped network, whose file, of an older format, does not hold it.
export const TUNED = { zos: 1.05, u_ageo_eddy: 1.15, v_ageo_eddy: 1.15 };

export class DiffusionPrior {
  name = "diffusion";

  /** spectrum: of the training data. channels: names of the state. config, weights: of the network.
   *  inflation: channel -> factor on the fresh noise of the sampler, one for those not named. */
  constructor(spectrum, standardizer, domain, channels, config, weights, inflation) {
    Object.assign(this, { spectrum, standardizer, domain, channels, shape: spectrum.shape });
    this.inflation = channels.map((name) => inflation[name] ?? 1);
    const [C, side] = this.shape;
    this.network = new UNet(spectrum.basis.kernels, 2 * C + CONTEXT_CHANNELS, C, config, weights, side);
  }

  /** The network's E[x0 | x] of states (B, C, ny, nx) in a context (5, ny, nx). */
  denoise(x, sigma, context) {
    const { basis, univariate: variance } = this.spectrum, [C, ny, nx] = this.shape, n = ny * nx, size = C * n;
    const noise = sigma ** 2, modes = basis.forward(x, range(C));
    const weighted = (weight) => basis.inverse(modes.map((v, i) => v * weight[i % size]), range(C));
    const whitened = weighted(variance.map((s) => 1 / Math.sqrt(s + noise)));
    const linear = weighted(variance.map((s) => s / (s + noise)));
    const rms = (values) => range(C).map((c) => Math.sqrt(values.subarray(c * n, (c + 1) * n).reduce((sum, v) => sum + v) / n));
    const deviation = rms(variance.map((s) => s ** 2 / (s + noise))), unknown = rms(variance.map((s) => s / (1 + s / noise)));
    const shown = new Float32Array(2 * size + context.length), estimate = new Float32Array(x.length);
    shown.set(context, size);
    for (let b = 0; b < x.length; b += size) {
      shown.set(whitened.subarray(b, b + size));
      for (let i = 0; i < size; i++) shown[size + context.length + i] = linear[b + i] / deviation[Math.floor(i / n)];
      const correction = this.network.forward(shown, Math.log(sigma) / 4);
      for (let i = 0; i < size; i++) estimate[b + i] = linear[b + i] + unknown[Math.floor(i / n)] * correction[i];
    }
    return estimate;
  }

  /** The function v -> S sigma^2 (S + sigma^2)^-1 v, from some channels to some. */
  covariance(sigma, from, to) {
    return this.spectrum.posteriorCovariance(sigma, from, to);
  }
}
