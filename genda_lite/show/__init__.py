"""Figures and explorers: what an analysis looks like."""


def explorer(prior=None, truth=None, device: str | None = None, **options):
    """Move the controls of an observing system, and watch the ensemble answer. It needs nothing but a running notebook.

    On a graphics card the ensembles are full ones. Without one they are small, and made by the fast method. Each takes
    some seconds on a free processor, and several times as long on a busy one.

    Args:
        prior: one from `load_prior`, or several with their names; by default the shipped priors.
        truth: the true ocean, one state with dims (latitude, longitude) and a scalar coordinate `time`; by default a
            day of the embedded sample.
        device: cpu or cuda; by default cuda where there is one. Priors that are given stay where they are.
        options: passed to `widgets.OsseExplorer`.
    """
    from .widgets import live_explorer  # a figure alone needs no widgets, and no torch

    return live_explorer(prior, truth, device, **options)
