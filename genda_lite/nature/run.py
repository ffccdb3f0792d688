"""An ensemble of simulated oceans, advanced a day at a time; it can be stopped and restarted bit for bit."""

import torch
from torch import Tensor

from .dynamics import DAY, Channel, Flow, TwoLayerModel, east, initial_flow, jet
from .physics import Physics
from .structure import TRAINING, Structure
from .surface import Surface, ornstein_uhlenbeck

FORCING_STEP = 6 * 3600.0  # s
FIELDS = ("zos", "thetao", "so", "uo", "vo", "uas", "vas")  # as `NatureRun._sample` stacks them


class NatureRun:
    """An ensemble of simulated oceans.

    Args:
        physics: parameters of the B members.
        seed: seeds the initial meanders, the weather and the wandering of the inflow.
        compile: see `TwoLayerModel`.
        structure: sea floor, schemes and laws.
    """

    def __init__(
        self,
        physics: Physics,
        seed: int,
        channel: Channel | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        compile: bool = False,
        structure: Structure = TRAINING,
    ):
        self.channel = channel or Channel()
        self.physics, self.day = physics, 0.0
        self.model = TwoLayerModel(
            self.channel, physics.reduced_gravity, physics.bottom_drag, dtype, device, compile, structure
        )
        self.generator = torch.Generator().manual_seed(seed)
        self.wander = torch.zeros(self.model.members, dtype=torch.float64)
        self.pulse = torch.zeros(self.model.members, dtype=torch.float64)
        self._steer(0.0)
        self.flow: Flow = initial_flow(self.model, self.u_ref, self.h_ref, self.generator)
        self.surface = Surface(self.model, physics, self.generator, compile)

    def _steer(self, dt: float) -> None:
        """Let the inflowing jet wander (memory 20 d) and pulse (60 d)."""

        def noise():
            return torch.randn(self.model.members, generator=self.generator, dtype=torch.float64)

        self.wander = ornstein_uhlenbeck(self.wander, noise(), dt, 20 * DAY)
        self.pulse = ornstein_uhlenbeck(self.pulse, noise(), dt, 60 * DAY)
        self.displacement = self.wander * self.physics.inflow_wander
        strength = 1 + self.pulse * self.physics.inflow_pulse
        self.u_ref, self.h_ref = jet(self.model, self.physics, self.displacement, strength)

    @torch.no_grad()
    def advance_day(self, days: float = 1.0) -> Tensor:
        """Integrate one day; returns the daily means of FIELDS on the channel's centres, (B, fields, ny, nx).

        Args:
            days: or a part of one, in whole steps of the forcing.

        Raises:
            FloatingPointError: the ocean became unstable.
        """
        steps = round(FORCING_STEP / self.channel.dt)
        windows = round(days * DAY / FORCING_STEP)
        mean = 0.0
        for _ in range(windows):
            self._steer(FORCING_STEP)
            centre = self.model.tensor(self.physics.jet_centre + self.displacement)
            self.surface.force(self.flow, self.day, centre, FORCING_STEP)
            total = 0.0
            for _ in range(steps):
                h = self.flow.h
                self.flow = self.model.step(self.flow, self.u_ref, self.h_ref)
                self.surface.step(h, self.flow)
                total = total + self._sample()
            mean = mean + total / (steps * windows)
            self.day += FORCING_STEP / DAY
        if not torch.isfinite(mean).all():
            raise FloatingPointError(f"the simulated ocean became unstable on day {self.day:.0f}")
        return mean

    def _sample(self) -> Tensor:
        flow, surface = self.flow, self.surface
        u = flow.u[:, 0] + surface.u_ekman
        v = flow.v[:, 0] + surface.v_ekman
        u, v = 0.5 * (u + east(u)), 0.5 * (v[:, 1:] + v[:, :-1])
        temperature, salinity = surface.tracers.unbind(1)
        wind = surface.wind
        return torch.stack([flow.sea_level, temperature, salinity, u, v, wind.real, wind.imag], 1)

    def state(self) -> dict[str, Tensor]:
        """Everything the future depends on, between two days: real tensors on the CPU."""
        surface = self.surface
        state = {
            "day": torch.tensor(self.day, dtype=torch.float64),
            "generator": self.generator.get_state(),
            "wander": self.wander,
            "pulse": self.pulse,
            "u": self.flow.u,
            "v": self.flow.v,
            "h": self.flow.h,
            "tracers": surface.tracers,
            "ekman": torch.view_as_real(surface.ekman),
            "winds": torch.view_as_real(surface.winds.state),
            "salt_weather": surface.salt_weather.state,
            "heat_weather": surface.heat_weather.state,
        }
        return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state` of a run with the same physics: the same future, bit for bit."""
        surface, flow = self.surface, self.flow
        self.day = float(state["day"])
        self.generator.set_state(state["generator"])
        self.wander, self.pulse = state["wander"], state["pulse"]
        flow.u, flow.v, flow.h = (state[name].to(flow.u) for name in ("u", "v", "h"))
        surface.tracers = state["tracers"].to(surface.tracers)
        surface.ekman = torch.view_as_complex(state["ekman"]).to(surface.ekman)
        surface.winds.state = torch.view_as_complex(state["winds"])
        surface.salt_weather.state, surface.heat_weather.state = state["salt_weather"], state["heat_weather"]
