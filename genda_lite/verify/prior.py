"""How good a prior is on oceans it never saw: how well it denoises them, and how like them are the states it draws.

Fixed random windows of unseen oceans are the truth. First, denoising is compared with the Wiener filter, the best
linear denoiser. Then the prior draws one state for each window, with the window's position and date as its context. So
draws and truth are paired in place and season, and each statistic of the draws stands beside that of the truth. Unseen
oceans are few and differ among themselves. Two comparisons say what is within chance: windows of the training data in
place of the draws (the score of a perfect memory), and one half of the truth against the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from ..errors import InputError
from ..ocean.currents import geostrophic_current, gradient_wind, relative_vorticity, smooth
from ..prepare.frames import members_of, training_set
from ..prior import Domain, Prior, sample_prior
from ..prior.base import make_context
from ..prior.spectral import Spectrum
from ..prior.windows import Noise, sea_corners
from ..state import (
    CHANNELS,
    DEGREES_PER_CELL,
    METRES_PER_DEGREE,
    SURFACE,
    TABLE,
    Grid,
    Standardizer,
    channels,
    harmonics,
)
from .realism import interior, sparse
from .spectra import isotropic_spectrum
from .table import row

FEWEST = 16  # samples
BATCH = 32  # windows in the network at a time
DENOISED = 256  # windows at most at each noise level
LEVELS = {0.1: None, 0.3: 0.75, 1.0: 0.75, 3.0: 0.75, 10.0: None}  # noise (standardized units): highest RMSE ratio
# Of the wavelengths judged, m.
SHORTEST = {name: 150e3 if TABLE[name].role == "wind" else 40e3 for name in CHANNELS}
REPORTED = {  # channels, m
    "zos at 20-32 km": (("zos",), 20e3, 32e3),
    "wind at 50-150 km": (channels("wind"), 50e3, 150e3),
}
EDGE = 6  # cells at the sides of a window that the smoothing of the geostrophic current reaches beyond
BINS, TAIL = 50, 0.001  # of a histogram, and the share of the truth in its outermost bin on either side
STRUCTURE, COARSE = SURFACE, 4  # channels and side of blocks (cells) by which neighbours are known
HELD = 32  # frames in memory
MEMORY, HALVES, TRUTH = "training data", "halves of the truth", "truth"  # what a figure is set beside


class Windows(NamedTuple):
    """Standardized states `x` (n, C, ny, nx), and for each its `latitude` (n, ny) and `longitude` (n, nx), degrees, its
    `time` (n,) and the number of the `ocean` (n,) that it is from."""

    x: Tensor
    latitude: np.ndarray
    longitude: np.ndarray
    time: np.ndarray
    ocean: np.ndarray

    def take(self, which) -> Self:
        """Some of the windows, by index, mask or slice."""
        return type(self)(*(part[which] for part in self))

    def context(self, domain: Domain, position: Tensor | None = None, season: Tensor | None = None) -> Tensor:
        """(n, 5, ny, nx), see `make_context`; `position` and `season` (n,) are zero where it is to be hidden."""
        position, season = (torch.ones(len(self.x)) if known is None else known for known in (position, season))
        parts = (self.latitude, self.longitude, harmonics(self.time)[:, 1:])
        latitude, longitude, phase = (torch.from_numpy(part) for part in parts)
        return make_context(domain, latitude, longitude, phase * season[:, None], position)

    def physical(self, standardizer: Standardizer) -> np.ndarray:
        """The fields (n, C, ny, nx) in their units."""
        n, ny = self.latitude.shape
        climatology = standardizer.climatology(self.latitude.ravel(), np.repeat(self.time, ny))
        climatology = climatology.reshape(-1, n, ny).transpose(1, 0, 2)[..., None]
        return (self.x.numpy() * standardizer.scale[:, None, None] + climatology).astype("f4")


@dataclass(frozen=True)
class Oceans:
    """Standardized frames of some channels, each (C, NY, NX), on a grid, with the `time` (n,) and the number of the
    `ocean` (n,)."""

    frames: Sequence[Tensor]
    time: np.ndarray
    ocean: np.ndarray
    grid: Grid
    channels: tuple[str, ...] = CHANNELS

    def __str__(self) -> str:
        return f"{len(np.unique(self.ocean))} ocean(s), {len(self.frames)} frames"

    def cut(self, frame: np.ndarray, south: np.ndarray, west: np.ndarray, shape: tuple[int, int]) -> Windows:
        """Windows of a shape with the south-western corners (n,) in frames (n,); each frame is read once.

        Raises:
            InputError: land in a window.
        """
        (ny, nx), x = shape, torch.empty(len(frame), len(self.frames[0]), *shape)
        for i in np.unique(frame):
            state = self.frames[int(i)]
            for n in np.flatnonzero(frame == i):
                x[n] = state[:, south[n] : south[n] + ny, west[n] : west[n] + nx]
        if not torch.isfinite(x).all():
            raise InputError("a window of the training data has land where the truth has none, expected one coastline")
        rows, columns = south[:, None] + np.arange(ny), west[:, None] + np.arange(nx)
        return Windows(x, self.grid.latitude[rows], self.grid.longitude[columns], self.time[frame], self.ocean[frame])

    def draw(self, shape: tuple[int, int], count: int, rng: np.random.Generator) -> Windows:
        """Windows at random places in the sea, evenly spread over the frames."""
        frame = ((np.arange(count) + rng.random(count)) * len(self.frames) / count).astype(int)
        corners = sea_corners(torch.isfinite(self.frames[0]).all(0).numpy(), max(shape))
        south, west = corners[rng.integers(len(corners), size=count)].T
        return self.cut(frame, south, west, shape)

    def like(self, windows: Windows, rng: np.random.Generator) -> Windows:
        """A window for each of the given ones: at its place, as near as the grid allows, and some day of its season."""
        shape = windows.x.shape[-2:]
        corner = self.grid.nearest(windows.latitude[:, 0], windows.longitude[:, 0])
        south, west = (np.clip(c, 0, n - m) for c, n, m in zip(corner, self.grid.shape, shape, strict=True))
        apart = np.linalg.norm(harmonics(windows.time)[:, None] - harmonics(self.time), axis=-1)
        # Half a radian of the year, one month, is the same season: the oceans of that month all have their chance.
        frame = (apart + 0.5 * rng.random(apart.shape)).argmin(1)
        return self.cut(frame, south, west, shape)


def read_oceans(ds: xr.Dataset | list[xr.Dataset], prior: Prior, what: str, dates: int | None = None) -> Oceans:
    """Oceans as a prior sees them: standardized with its climatology, the residual current by its Ekman response.

    Args:
        ds: simulated or reanalysis fields, or prepared states, see `training_set`; lazy data are read frame by frame.
        what: they are, for messages. dates: at most so many of each data set, evenly spaced.

    Raises:
        InputError: a grid smaller than the prior's windows, of another spacing or outside its domain, or data that
            `training_set` refuses.
    """
    sets = ds if isinstance(ds, list) else [ds]
    sets = [sparse(one, dates) if dates and "time" in one.dims else one for one in sets]
    data = training_set(sets, prior.standardizer, held=HELD)
    grid, shape = Grid(data.latitude, data.longitude), tuple(prior.shape[1:])
    if any(n < m for n, m in zip(grid.shape, shape, strict=True)):
        raise InputError(f"the {what} has {grid}, expected at least the {shape[0]} x {shape[1]} of the prior's windows")
    steps = [np.diff(values).mean() for values in (grid.latitude, grid.longitude)]
    if not np.allclose(steps, DEGREES_PER_CELL, rtol=0.01):
        raise InputError(f"the {what} has cells of {steps[0]:.4f} x {steps[1]:.4f} degrees, expected 1/12 degree")
    if not prior.domain.holds(grid):
        raise InputError(f"the {what} has {grid}, expected points inside the prior's domain {prior.domain}")
    oceans = [ocean["time"].values for one in sets for ocean in members_of(one)]
    number = np.repeat(np.arange(len(oceans)), [len(time) for time in oceans])
    return Oceans(data.frames, np.concatenate(oceans), number, grid, prior.standardizer.channels)


def evaluate_prior(
    prior: Prior, truth: Oceans, training: Oceans, samples: int = 512, seed: int = 0, steps: int = 40, progress=False
) -> list[dict]:
    """Measure a prior on unseen oceans.

    Args:
        truth: oceans that the prior was not trained on. training: those it was trained on, or some of them.
        samples: states to draw, and windows of the truth to set them beside.
        seed: of windows, noise and draws. steps: network evaluations a draw.

    Returns:
        rows with the keys `name`, `value`, `target` (text, or None), `met` (true, false, or None without a target),
        `beside` and `detail`. `beside` is the same figure with training data or halves of the truth in place of the
        samples, or that of the truth itself. `detail` is true for figures of single channels, which a table may leave
        out. Targets are for the shipped prior.

    Raises:
        InputError: fewer than 16 samples.
    """
    if samples < FEWEST:
        raise InputError(f"samples must be at least {FEWEST}, got {samples}")
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    windows = truth.draw(prior.shape[1:], samples, rng)
    rows = denoising(prior, windows.take(slice(None, None, -(-samples // DENOISED))), generator)
    rows += validation_loss(prior, windows, generator)
    x = sample_prior(prior, windows.context(prior.domain), samples, seed, steps, BATCH, progress)
    drawn, memory = windows._replace(x=x), training.like(windows, rng)
    rows += statistics(drawn, windows, memory, prior.standardizer)
    return [*rows, neighbours(drawn, windows, memory, training)]


# --- Denoising -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def squared_errors(denoise: Callable, x: Tensor, sigma: Tensor, context: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error (n, C) of `denoise(x + sigma noise, sigma, context)`, a batch at a time; sigma (n,)."""
    errors = (
        denoise(clean + level.view(-1, 1, 1, 1) * white, level, here) - clean
        for clean, level, here, white in zip(*(a.split(BATCH) for a in (x, sigma, context, noise)), strict=True)
    )
    return torch.cat([(error**2).mean((-1, -2)) for error in errors])


def denoising(prior: Prior, windows: Windows, generator: torch.Generator) -> list[dict]:
    """RMSE of the denoiser over that of the multivariate Wiener filter of the same training data, on the same noise.

    The Wiener filter is the best linear denoiser, and the best of all if the ocean were Gaussian: below 1 is what the
    prior knows beyond optimal interpolation.
    """
    context, noise = windows.context(prior.domain), torch.randn(windows.x.shape, generator=generator)
    rows = []
    for level, highest in LEVELS.items():
        sigma = torch.full((len(noise),), level)
        ours, linear = (
            squared_errors(denoise, windows.x, sigma, context, noise).double()
            for denoise in (prior.denoise, lambda x, s, _: prior.spectrum.wiener_filter(x, s))
        )
        name, ratio = f"denoising RMSE / Wiener filter, sigma {level:g}", float((ours.mean() / linear.mean()).sqrt())
        overall = row(name, ratio, highest=highest, metric=name)
        rows.append(overall if highest else overall | {"target": "below 1", "goal": [None, 1.0], "met": ratio < 1})
        rows += by_channel(prior, name, (ours.mean(0) / linear.mean(0)).sqrt())
    return rows


def by_channel(prior: Prior, metric: str, values: Tensor) -> list[dict]:
    """A figure of each channel, as rows that a table may leave out."""
    pairs = zip(prior.state.channels, values.tolist(), strict=True)
    return [row(f"{metric}, {c}", value, detail=True, channel=c, metric=metric) for c, value in pairs]


def univariate_error(spectrum: Spectrum, sigma: Tensor) -> Tensor:
    """Expected squared error (n, C) of the Wiener filter of each channel by itself at noise sigma (n,):
    the mean over wavenumbers of S sigma^2 / (S + sigma^2)."""
    power = spectrum.variance
    if not spectrum.univariate:
        power = torch.einsum("yxce,eyx->cyx", spectrum.vectors**2, power)
    noise = sigma.view(-1, 1, 1, 1) ** 2
    return (power * noise / (power + noise)).mean((-1, -2))


def validation_loss(prior: Prior, windows: Windows, generator: torch.Generator) -> list[dict]:
    """The loss of the training on unseen windows: squared errors over those expected of the univariate Wiener filter.

    Noise and what is hidden of position and season are distributed as in the training; quantiles of the noise are taken
    evenly, so that few windows tell.
    """
    n, settings, usual = len(windows.x), getattr(prior, "training", {}), Noise()
    quantile = (torch.randperm(n, generator=generator) + 0.5) / n
    mean, std = settings.get("noise_mean", usual.mean), settings.get("noise_std", usual.std)
    sigma = (mean + std * torch.special.ndtri(quantile)).exp()
    position, season = (
        (torch.rand(n, generator=generator) >= settings.get(name, share)).float()
        for name, share in (("hide_position", 0.5), ("hide_season", 0.1))
    )
    noise = torch.randn(windows.x.shape, generator=generator)
    error = squared_errors(prior.denoise, windows.x, sigma, windows.context(prior.domain, position, season), noise)
    loss = error / univariate_error(prior.spectrum, sigma)
    name = "validation loss / per-channel Wiener loss"
    return [row(name, loss.mean(), highest=0.55, metric=name), *by_channel(prior, name, loss.mean(0))]


# --- Statistics of the samples ---------------------------------------------------------------------------------------


class Description(NamedTuple):
    """Statistics of windows: standard deviations (C,) and correlations (C, C) of the standardized `channels`, their
    spectra (C, k) at wavelengths (k,) in m, values of some physical fields, rms of the gradient-wind residual (m s-1)
    and the share of the ageostrophic current's variance that the balance explains."""

    channels: tuple[str, ...]
    std: np.ndarray
    correlation: np.ndarray
    spectra: np.ndarray
    wavelength: np.ndarray
    fields: dict[str, np.ndarray]
    residual: float
    explained: float


def describe(windows: Windows, standardizer: Standardizer, latitude: float) -> Description:
    """Statistics of windows; their spectra are on the wavenumbers of a box at one latitude (degrees), so that those of
    different windows compare."""
    x = windows.x.flatten(2)
    mean = x.mean((0, 2)).double().numpy()
    product = (x @ x.mT / x.shape[2]).double().mean(0).numpy()
    covariance = product - mean[:, None] * mean
    std = np.sqrt(np.diag(covariance))
    dy = METRES_PER_DEGREE * DEGREES_PER_CELL
    dx = dy * np.cos(np.radians(latitude))
    spectra = [isotropic_spectrum(channel, dy, dx) for channel in windows.x.numpy().swapaxes(0, 1)]
    power = np.stack([spectrum.values for spectrum in spectra])
    fields, current, residual = dynamics(windows, standardizer)
    residual, variance = ((np.abs(part) ** 2).mean(dtype=float) for part in (residual, current))
    explained = 1 - residual / variance
    wavelength = 1 / spectra[0]["wavenumber"].values
    correlation, residual = covariance / np.outer(std, std), np.sqrt(residual)
    return Description(
        standardizer.channels, std, correlation, power, wavelength, fields, residual, explained
    )


def dynamics(windows: Windows, standardizer: Standardizer) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Physical fields of windows, and how their currents go with their sea level.

    The ageostrophic eddy current is the total one less the smoothed geostrophic and the Ekman currents. Were the flow
    in gradient-wind balance, the smoothing's remainder and the flow's curvature would be all of it:

        (g - smooth g) + gradient_wind(smooth g),   g the geostrophic current of sea level.

    Returns:
        SSH anomaly (m), SST (degC), SSS (1e-3), relative vorticity of the geostrophic current over f, and speed of the
        ageostrophic eddy current (m s-1); that current, and what of it the balance does not explain, complex, without
        the sides of the windows.
    """
    level = standardizer.channels.index("zos")
    fields = dict(zip(standardizer.channels, windows.physical(standardizer).swapaxes(0, 1), strict=True))
    ssh, sst, sss, u_eddy, v_eddy = (
        fields[name] for name in ("zos", "thetao", "so", "u_ageo_eddy", "v_ageo_eddy")
    )
    current = interior(u_eddy + 1j * v_eddy, EDGE)
    vorticity, residual = np.empty(current.shape, "f4"), np.empty(current.shape, "c8")
    for south in np.unique(windows.latitude[:, 0]):  # one latitude, one f and one length of a degree
        here = np.flatnonzero(windows.latitude[:, 0] == south)
        place = {"latitude": windows.latitude[here[0]], "longitude": windows.longitude[here[0]]}
        zos = xr.DataArray(ssh[here], place, ("window", *place))
        u, v = geostrophic_current(zos)
        us, vs = (smooth(part).values for part in (u, v))
        balanced = (u.values - us) + 1j * (v.values - vs) + gradient_wind(us, vs, *place.values())
        residual[here] = current[here] - interior(balanced, EDGE)
        vorticity[here] = interior(relative_vorticity(u, v).values, EDGE)
    fields = {
        "SSH anomaly": windows.x[:, level].numpy() * standardizer.scale[level],
        "SST": sst,
        "SSS": sss,
        "vorticity/f": vorticity,
        "ageostrophic current speed": np.abs(current),
    }
    return fields, current, residual


def pdf_distance(values: np.ndarray, truth: np.ndarray) -> float:
    """Jensen-Shannon distance of two samples, 0 (one distribution) to 1 (nothing in common).

    The root of the divergence (Lin 1991, doi:10.1109/18.61115) in bits, of histograms with 50 even bins between the 0.1
    and 99.9 % quantiles of the truth; what lies beyond counts in the outermost bins.
    """
    edges = np.linspace(*np.quantile(truth, (TAIL, 1 - TAIL)), BINS + 1)
    counts = [np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] for part in (values, truth)]
    return float(jensenshannon(*counts, base=2))


def compare(one: Description, truth: Description) -> dict[tuple[str, str], float]:
    """Figures of one set of windows against another's: (metric, channel or field) -> value; NaN where the windows are
    too small or too coarse to hold a wavelength."""
    values = {("std / truth", c): v for c, v in zip(truth.channels, one.std / truth.std, strict=True)}
    values["channel correlations, largest difference", ""] = np.abs(one.correlation - truth.correlation).max()
    departure = np.abs(np.log10(one.spectra / truth.spectra))
    for c, channel in zip(truth.channels, departure, strict=True):
        judged = channel[truth.wavelength > SHORTEST[c]]
        values["spectrum, largest departure (decades)", c] = judged.max() if judged.size else np.nan
    for name, (held, shortest, longest) in REPORTED.items():
        places = [truth.channels.index(c) for c in held]
        band = (truth.wavelength >= shortest) & (truth.wavelength <= longest)
        power = [part.spectra[places][:, band].sum() for part in (one, truth)]
        values["spectrum, log10 of the ratio", name] = np.log10(power[0] / power[1]) if band.any() else np.nan
    values |= {("PDF distance", name): pdf_distance(one.fields[name], truth.fields[name]) for name in truth.fields}
    values["gradient-wind residual / truth", ""] = one.residual / truth.residual
    return values


RANGES: dict[str, tuple[float | None, float | None]] = {
    "std / truth": (0.95, 1.05),
    "channel correlations, largest difference": (None, 0.08),
    "spectrum, largest departure (decades)": (None, 0.1),
    "gradient-wind residual / truth": (0.8, 1.2),
}


def statistics(drawn: Windows, truth: Windows, memory: Windows, standardizer: Standardizer) -> list[dict]:
    """Rows of the samples' statistics against the truth's, beside those of the training data and of halves of the truth
    (every other ocean, or the earlier and the later dates of a single one)."""
    several = len(np.unique(truth.ocean % 2)) > 1
    half = truth.ocean % 2 == 1 if several else np.arange(len(truth.x)) < len(truth.x) // 2
    sets, latitude = (drawn, truth, memory, truth.take(half), truth.take(~half)), float(truth.latitude.mean())
    ours, true, known, odd, even = (describe(windows, standardizer, latitude) for windows in sets)
    beside = {MEMORY: compare(known, true), HALVES: compare(odd, even)}
    rows = []
    for (metric, channel), value in compare(ours, true).items():
        others = {key: values[metric, channel] for key, values in beside.items()}
        labels, name = {"channel": channel, "metric": metric}, f"{metric}, {channel}" if channel else metric
        rows.append(row(name, value, *RANGES.get(metric, (None, None)), others, **labels))
    shares, name = {TRUTH: true.explained, MEMORY: known.explained}, "gradient-wind share of the ageostrophic current"
    return [*rows, row(name, ours.explained, beside=shares, metric=name)]


# --- Memory ----------------------------------------------------------------------------------------------------------


def nearest_training(x: Tensor, training: Oceans) -> Tensor:
    """RMS distance (n,) of windows (n, C, ny, nx) to the nearest window of the training data, anywhere and at any time.

    Sea level, temperature and salinity (standardized) are compared after averaging over blocks of 4 x 4 cells, since
    two oceans are alike in structure or not at all; training windows lie at every fourth cell. |a - b|^2 is taken as
    |a|^2 - 2 a.b + |b|^2, one matrix product a frame.
    """
    places = [training.channels.index(name) for name in STRUCTURE]
    windows = F.avg_pool2d(x[:, places], COARSE)
    ny, nx = windows.shape[-2:]
    windows = windows.flatten(1)
    nearest = torch.full((len(windows),), float("inf"))
    for i in range(len(training.frames)):
        frame = F.avg_pool2d(training.frames[i][places], COARSE)
        candidates = frame.unfold(1, ny, 1).unfold(2, nx, 1).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
        candidates = candidates[torch.isfinite(candidates).all(1)]
        if len(candidates):
            squares = (candidates**2).sum(1, keepdim=True) - 2 * candidates @ windows.T
            nearest = torch.minimum(nearest, squares.amin(0))
    return ((nearest + (windows**2).sum(1)).clamp(min=0) / windows.shape[1]).sqrt()


def neighbours(drawn: Windows, truth: Windows, memory: Windows, training: Oceans) -> dict:
    """Median distance of the samples to their nearest training windows over that of the truth: a prior that copies what
    it has seen lies far below 1 (Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675)."""
    x = torch.cat([windows.x for windows in (drawn, truth, memory)])
    ours, unseen, known = (part.median().item() for part in nearest_training(x, training).split(len(truth.x)))
    name, beside = "distance to the nearest training window / truth", {MEMORY: known / unseen}
    return row(name, ours / unseen, lowest=0.9, beside=beside, metric=name)
