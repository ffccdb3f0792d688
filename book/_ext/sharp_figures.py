"""Sphinx extension: figures of twice the pixels, shown at the size that they had, and larger at a click or a tap.

Notebooks run with a configuration of IPython that asks matplotlib for "retina" pictures: twice the pixels a point, with
the size to show them at. Sphinx makes a picture that has a size a link to its file, so that a figure which is small on
a phone opens in full.
"""

import os
from pathlib import Path

SETTING = 'c = get_config()\nc.InlineBackend.figure_formats = {"retina"}\n'


def configure(app, config) -> None:
    """Leave the configuration where kernels that the build starts will find it."""
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(SETTING, encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent.resolve())


def setup(app) -> dict:
    app.connect("config-inited", configure, priority=100)  # before myst-nb, at 500, runs anything
    return {"parallel_read_safe": True, "parallel_write_safe": True}
