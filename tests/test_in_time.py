"""Networks of several days, and what is made of them: variants, a start from single days, methods, forecasts."""

from dataclasses import replace

import pytest
import torch
from conftest import red_covariance
from test_trajectory import DAYS, STATE, in_time

from genda_lite.errors import InputError
from genda_lite.prior import DiffusionPrior, NetworkConfig, load_prior
from genda_lite.prior.checkpoint import FORMAT_3, save_prior
from genda_lite.prior.diffusion import Denoiser, frame_by_frame
from genda_lite.prior.spectral import Spectrum
from genda_lite.prior.trajectory import compact, expanded, widened
from genda_lite.prior.train import Trainer
from genda_lite.state import CHANNELS, StateVector

TINY = NetworkConfig(width=8, multipliers=(1,))
SIGMA = torch.tensor([0.3, 4.0])


def covariance(state: StateVector = STATE) -> torch.Tensor:
    """Of several days, as a checkpoint keeps it."""
    return expanded(compact(in_time(red_covariance(16, 16, len(CHANNELS)), state), state), state)


def denoiser(config: NetworkConfig, state: StateVector = STATE) -> Denoiser:
    """With random weights in the last layer, which begins with zeros."""
    torch.manual_seed(1)
    known = covariance(state) if len(state.days) > 1 else red_covariance(16, 16, len(CHANNELS))
    made = Denoiser(Spectrum(known, univariate=True), config, False, Spectrum(known), state)
    torch.nn.init.normal_(made.network.last[-1].weight, std=0.1)
    return made


def noisy(state: StateVector = STATE) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(2, k, 16, 16, generator=generator) for k in (len(state), 5))


# --- Networks --------------------------------------------------------------------------------------------------------


def test_a_network_without_an_answer_is_the_linear_estimate_that_was_chosen(standardizer, domain, tmp_path):
    x, context = noisy()
    each, joint = (Spectrum(covariance(), univariate=one).wiener_filter(x, SIGMA) for one in (True, False))
    assert (each - joint).abs().max() > 0.1
    for kind, expected in (("no", each), ("shown", each), ("skip", joint)):
        prior = DiffusionPrior(covariance(), standardizer, domain, replace(TINY, joint=kind), state=STATE)
        prior.denoiser.requires_grad_(False)
        torch.testing.assert_close(prior.denoise(x, SIGMA, context), expected, atol=2e-4, rtol=1e-3)
        save_prior(prior, tmp_path / "prior.safetensors", FORMAT_3)
        again = load_prior(tmp_path / "prior.safetensors")
        assert again.config == prior.config
        torch.testing.assert_close(again.denoise(x, SIGMA, context), expected, atol=2e-3, rtol=1e-2)


def test_joint_estimates_are_shown_with_unit_variance_and_leave_what_they_leave():
    made, shown = denoiser(replace(TINY, joint="skip")), []
    known = made.joint.pointwise_variance().mean((-1, -2)).float()
    torch.testing.assert_close(made._of_channels(made.joint.variance[None])[0, :, 0, 0] ** 2, known, rtol=1e-3, atol=1e-5)
    made.network.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    x = made.joint.sample(400, 4.0, torch.Generator().manual_seed(2))
    made(x, torch.tensor([4.0]), torch.zeros(1, 5, 16, 16))
    size = shown[0][:, -len(STATE) :].square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(size, torch.ones(len(STATE)), atol=0.1, rtol=0)


def test_convolutions_in_time_begin_as_a_network_of_single_days():
    """All days go through one network; what passes between them is learned."""
    config, today = replace(TINY, days="convolved"), StateVector.today()
    made, single = denoiser(config), denoiser(TINY, today)
    missing, strange = made.network.load_state_dict(single.network.state_dict(), strict=False)
    assert missing and all("in_time" in name for name in missing) and not strange
    fields, context = noisy()
    shown = [fields, context, 0.5 * fields]
    answer = made._correction(shown, SIGMA)
    assert frame_by_frame(STATE)[1] == [STATE.index(name) for name in CHANNELS]  # the date is the second of three days
    for day in DAYS:
        here = [STATE.index(name, day) for name in CHANNELS]
        alone = single._correction([fields[:, here], context, 0.5 * fields[:, here]], SIGMA)
        torch.testing.assert_close(answer[:, here], alone, atol=1e-5, rtol=1e-4)
    mixing = [m for name, m in made.network.named_modules() if name.endswith("in_time")]
    torch.nn.init.normal_(mixing[0].mix.weight, std=0.1)
    here, first, last = ([STATE.index(name, day) for name in CHANNELS] for day in (0.0, *DAYS[::2]))
    for other in (first, last):
        changed = fields.clone()
        changed[:, other] = 0
        after = made._correction([changed, context, shown[2]], SIGMA)
        assert (after[:, here] - made._correction(shown, SIGMA)[:, here]).abs().max() > 1e-3


def test_days_that_hold_other_channels_are_not_convolved(refuses):
    lean = StateVector((*CHANNELS, "zos"), (0.0,) * 7 + (2.0,))
    with refuses("8 fields of 7 channels on 2 days", "expected all channels on all days"):
        denoiser(replace(TINY, days="convolved"), lean)
    with refuses("joint is 'soon'", "'no', 'shown' or 'skip'"):
        replace(TINY, joint="soon")
    with refuses("without a linear estimate"):
        replace(TINY, joint="skip", linear_estimate=False)
    assert set(TINY.as_dict()).isdisjoint({"joint", "days"})  # checkpoints of before are resumed


def test_a_network_of_single_days_starts_one_of_several(refuses):
    """The date is seen and corrected as before, and nothing else is."""
    single, several = denoiser(TINY, StateVector.today()), denoiser(TINY)
    weights = widened(single.network.state_dict(), several.network.state_dict(), STATE, True)
    several.network.load_state_dict(weights)
    fields, context = noisy()
    today = [STATE.index(name) for name in CHANNELS]
    answer = several._correction([fields, context, 0.5 * fields], SIGMA)
    alone = single._correction([fields[:, today], context, 0.5 * fields[:, today]], SIGMA)
    torch.testing.assert_close(answer[:, today], alone, atol=1e-5, rtol=1e-4)
    others = [place for place in range(len(STATE)) if place not in today]
    assert (answer[:, others] == 0).all() and alone.abs().max() > 0.1
