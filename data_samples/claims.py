"""The sentences of the pages with numbers of results in them, and which stored numbers these are.

Each claim has the page, the words as they stand there with a format in the place of each number, and the numbers.
What a sentence says in words, "ahead of every baseline", is checked by `holds` where the tables can tell.
"""

import math
from functools import cache, partial

import numpy as np
import pandas as pd
from tables import (
    COMMON,
    DAILY,
    FOLDER,
    HOURLY,
    LESS,
    MB,
    OCEAN,
    REAL,
    USUAL,
    YARDSTICK,
    Claim,
    as_judged,
    guidance,
    methods,
    names,
    of_oceans,
    stored,
    value,
)

from genda_lite.sources import load_sample
from genda_lite.state import CHANNELS
from genda_lite.verify.closed_form import POINTS
from genda_lite.verify.protocol import runs
from genda_lite.verify.table import pick

README, RESULTS, CARD = "README.md", "book/results.md", "data_samples/README.md"
PRODUCTS, PRIOR, BAYES, OSSE, OSE = (
    f"book/{name}.ipynb" for name in ("02_products", "03_prior", "04_bayes", "05_osse", "06_ose")
)
BOUNDS = ("value", "low", "high")
OURS, FAST, REGRESSION = "diffusion", "diffusion, fast", "U-Net regression"


def interval(table: str, scale: float = 1.0, **labels: str) -> tuple[float, ...]:
    """A number and its interval."""
    return tuple(scale * value(table, bound, **labels) for bound in BOUNDS)


def reach(frame: pd.DataFrame) -> tuple[float, float]:
    """The lowest and the highest of some numbers; of those that are known by their range alone, its ends."""
    return frame[["value", "low"]].min(axis=None), frame[["value", "high"]].max(axis=None)


def gain_of_oceans(channel: str, than: str = YARDSTICK) -> tuple[float, float, float]:
    """By how much our CRPS is below another's (percent): in all cases, and in the oceans of least and of most gain."""
    whole, oceans = of_oceans(channel, OURS, than)
    return -100 * whole, -100 * max(oceans), -100 * min(oceans)


def percent(table: str, one: str, other: str, **labels: str) -> float:
    """By how much a method's number is below another's."""
    return 100 * (1 - value(table, method=one, **labels) / value(table, method=other, **labels))


def claims() -> list[Claim]:
    """All of them."""
    results = (closed_form, real, peers, scoreboard, lag_time, guidances, drifters, speed)
    return [claim for made in (asked, front_page, *results, card, wide, chapters) for claim in made()]


def front_page() -> list[Claim]:
    """What the README claims, each of a section of the results."""
    exact = partial(pick, stored("posterior"), case=POINTS, metric="CRPS / exact")
    ours, genda = (exact(method=m)["value"].max() for m in ("default", "GenDA, gamma 0.1"))
    zos, thetao = (gain_of_oceans(c) for c in ("zos", "thetao"))
    dressed = f"{REGRESSION}, dressed"
    level, warmth = (gain_of_oceans(c, dressed) for c in ("zos", "thetao"))
    currents = [-gain_of_oceans(c, dressed)[0] for c in OCEAN[3:]] + [
        100 * (value("osse", case="", zone="all", method=OURS, channel=c, metric="crps")
               / value("osse", case="", zone="all", method=dressed, channel=c, metric="crps") - 1)
        for c in ("uo", "vo")
    ]  # fmt: skip
    ekman = "L4 geostrophic + Ekman"
    drift = [value("ose", method=m, metric="vector_error", **HOURLY) for m in (OURS, YARDSTICK, ekman)]
    than = {m: interval("ose", method=OURS, metric=f"vector_error less {m}", **HOURLY) for m in (YARDSTICK, ekman)}
    rmse = [value("real", method=m, channel="zos", metric="rmse") for m in (OURS, "Gaussian prior", "climatology")]
    seconds = [value("speed", method=m, case=USUAL, metric="seconds") for m in ("default", "GenDA's sampler")]
    return [
        Claim(
            README,
            "the CRPS of the default is at most {:.3f} times the exact one; GenDA's published setting, gamma 0.1, "
            "reaches {:.3f}.",
            (ours, genda),
            holds=ours < 1.05 and genda > ours,
        ),
        Claim(
            README,
            "**On simulated oceans it is ahead of optimal interpolation.** Its CRPS is {:.0f} % lower in sea level and "
            "{:.0f} % in temperature.",
            (zos[0], thetao[0]),
            holds=zos[1] > 0 and thetao[1] > 0,
        ),
        Claim(
            README,
            "A regression with a fitted spread is level in sea level, behind by {:.0f} % in temperature, and ahead by "
            "{:.0f} to {:.0f} % in the current.",
            (warmth[0], min(currents), max(currents)),
            holds=level[1] < 0 < level[2] and warmth[1] > 0 and min(currents) > 0,
        ),
        Claim(
            README,
            "The vector error of the mean current is {:.3f} m/s, that of optimal interpolation {:.3f}; mapped sea "
            "level with Ekman current is matched, not beaten ({:.3f}).",
            tuple(drift),
            holds=than[YARDSTICK][2] < 0 and than[ekman][1] < 0 < than[ekman][2],
        ),
        Claim(
            README,
            "**On the real ocean the diffusion prior is not ahead of a Gaussian one.** Observed along real ground "
            "tracks, a map of real sea level of one day comes back with an error of {:.3f} m, and of {:.3f} m with the "
            "Gaussian prior; climatology has {:.3f}.",
            tuple(rmse),
            holds=abs(rmse[0] - rmse[1]) < 0.05 * rmse[1] < rmse[2],
        ),
        Claim(
            README,
            "takes {:.1f} seconds on two CPU cores, and GenDA's sampler with the same network {:.1f}.",
            tuple(seconds),
        ),
    ]


def asked() -> list[Claim]:
    """Of scores on test data, those that a page says were made once; there is none yet."""
    return []


def asked_once(page: str, text: str, data: str) -> Claim:
    """Holds where the ledger has one run on these data, by their name in `verify.protocol`."""
    return Claim(page, text, holds=runs(data) == 1)


def closed_form() -> list[Claim]:
    """Against posteriors that are known."""
    sweep = stored("posterior")
    sweep = sweep[sweep["case"].str.startswith("sweep") & (sweep["metric"] == "CRPS / exact")]
    worst = sweep["value"].max()
    wrong = stored("posterior")
    wrong = wrong[wrong["case"].str.startswith("S wrong") & (wrong["metric"] == "CRPS / exact")]
    wrong = wrong.groupby("method")["value"].max()
    genda = pick(stored("posterior"), method="GenDA, gamma 0.1", case=POINTS[:3], metric="variance, observed")["value"]
    mmps = "MMPS, 3 iterations"
    ours, theirs = (
        pick(stored("posterior"), method=m, case=POINTS, metric="CRPS / exact")["value"] for m in ("default", mmps)
    )
    mixed = pick(stored("posterior"), method="GenDA, gamma 0.1", case=POINTS[3:], metric="variance, observed")["value"]
    low = lambda method: pick(  # noqa: E731
        stored("posterior"), method=method, case=POINTS[:3], metric="variance, observed"
    )["value"]
    observed = stored("posterior")
    observed = observed[observed["case"].str.startswith("S wrong") & (observed["method"] == "default")]
    observed = observed[observed["metric"] == "variance, observed"]["value"]
    return [
        Claim(
            RESULTS,
            "observed five times, the default's CRPS was {:.3f} times the exact one",
            (value("posterior", method="default", case="Gaussian, 20,480 values", metric="CRPS / exact"),),
        ),
        Claim(
            RESULTS,
            "At observed points its variance is up to {:.0f} % low",
            (100 * (1 - low("default").min()),),
            holds=(low("default, one iteration in 80 steps") - 1).abs().max() < 0.02,
        ),
        Claim(RESULTS, "the highest CRPS was {:.3f} times the exact one", (worst,), holds=worst < 2),
        Claim(
            RESULTS,
            "The default's CRPS is then at most {:.3f} times the exact one. `fast` has nothing but the covariance, and "
            "reaches {:.3f}.",
            (wrong["default"], wrong["fast"]),
        ),
        Claim(
            CARD,
            "A wrong covariance raises the CRPS of two iterations by {:.1f} % at most, and that of MMPS by {:.1f} %, "
            "where one iteration is spoilt by it. Where the covariance is right, two iterations are nearer to the "
            "exact posterior than MMPS.",
            tuple(100 * (wrong[m] - 1) for m in ("default", mmps)),
            holds=wrong["default, one iteration in 80 steps"] > 1.3
            and (ours - 1).abs().mean() < (theirs - 1).abs().mean(),
        ),
        Claim(
            BAYES,
            "goes astray where the believed sea has no small scales. The second iteration mends that",
            holds=wrong["default"] < 1.03 and wrong["default, one iteration in 80 steps"] > 1.3,
        ),
        Claim(
            RESULTS,
            "variance at the observed points falls to {:.2f} of what it should be",
            (observed.min(),),
        ),
        Claim(
            RESULTS,
            "It has a tenth of the right variance in the Gaussian cases, and several times too much in the mixture.",
            holds=genda.between(0.05, 0.15).all() and (mixed > 2.5).all(),
        ),
        Claim(
            BAYES,
            "On priors whose posterior is known it is right to about a percent",
            holds=(abs(ours - 1) < 0.015).all(),
        ),
    ]


def real() -> list[Claim]:
    """On a map of the real sea level."""
    get, channels = partial(value, "real"), ("zos", "current")
    rmse = {m: get(method=m, channel="zos", metric="rmse") for m in REAL}
    less = []
    for m, c in ((m, c) for m in (OURS, FAST) for c in channels):
        found = pick(stored("real"), method=m, channel=c, metric="rmse less Gaussian prior")
        boxes = found[found["case"] != ""]["value"]
        less.append((get(case="", method=m, channel=c, metric="rmse less Gaussian prior"), boxes.min(), boxes.max()))
    ratios = pick(stored("real"), metric="spread_skill")["value"]
    return [
        Claim(RESULTS, "{:.1f} % of the cells are seen", (100 * get(metric="observed share"),)),
        Claim(
            RESULTS,
            "Both priors halve climatology's error in sea level",
            holds=all(rmse[m] < 0.55 * rmse["climatology"] for m in REAL if m != "climatology"),
        ),
        Claim(
            RESULTS,
            "they tie. With the default guidance its RMSE differs by {:+.3f} m in sea level ({:+.3f} to {:+.3f} from "
            "box to box) and by {:+.3f} m/s in currents ({:+.3f} to {:+.3f}). With the fast guidance it differs by "
            "{:+.3f} m ({:+.3f} to {:+.3f}) and by {:+.3f} m/s ({:+.3f} to {:+.3f}).",
            tuple(v for one in less for v in one),
            holds=all(low < 0 < high for _, low, high in less),
        ),
        Claim(
            RESULTS,
            "All are overconfident: spread/error is {:.2f} to {:.2f}.",
            (ratios.min(), ratios.max()),
            holds=ratios.max() < 1,
        ),
    ]


def peers() -> list[Claim]:
    """Beside other samplers."""
    get, table = partial(value, "peers"), stored("peers")
    crps, units = {"metric": "CRPS / exact"}, {"metric": "forwards + VJPs"}
    cases = names("peers", "case", method="default")
    twentieth, third = "ours at a twentieth of GenDA's units", "ours at a third of the best peer's units"
    mixture = {"case": "mixture, 10 %"}
    cheap = reach(pick(table, method=twentieth, **crps))

    def apart(method: str, case: str) -> float:
        """By how many standard errors ours differs from the peer it is beside; below zero it is better."""
        difference, error = (get(method=method, case=case, metric=m) for m in ("difference", "standard error"))
        return difference / error

    thirds = [(m, case) for m in (third, f"{third}, fast") for case in names("peers", "case", method=m)]
    return [
        Claim(
            RESULTS,
            "score {:.3f} to {:.3f}, with a standard deviation of {:.3f} to {:.3f} from one set",
            (
                *reach(pick(table, method="exact posterior", **crps)),
                *reach(pick(table, method="exact posterior", metric="deviation")),
            ),
        ),
        Claim(
            RESULTS,
            "(GenDA's own 256 steps: {:.0f}, with Langevin corrections {:,.0f})",
            tuple(
                get(method=f"GenDA, {setting}", case=cases[0], **units)
                for setting in ("gamma 0.1", "best gamma, Langevin")
            ),
        ),
        Claim(
            RESULTS,
            "ours has less CRPS in all five cases, and in four by more than noise. It takes {:.0f} to {:.0f} units and "
            "scores {:.2f} to {:.2f}.",
            (*reach(pick(table, method=twentieth, **units)), *cheap),
            holds=sorted(apart(twentieth, case) < -2 for case in cases) == [False] + 4 * [True]
            and all(apart(twentieth, case) < 0 for case in cases),
        ),
        Claim(
            RESULTS,
            "ours is within noise of that peer in all five cases. In two of the Gaussian ones it is the fast method "
            "with {:.0f} units.",
            (reach(pick(table, method=f"{third}, fast", **units))[0],),
            holds=len(thirds) == len(cases) and all(abs(apart(*one)) < 2 for one in thirds),
        ),
        Claim(
            RESULTS,
            "azula's MMPS reaches {:.3f} with {:.0f} units, and ours {:.3f} with {:.0f} ({:.3f} ± {:.3f} more)",
            (
                *(get(method=m, **metric, **mixture) for m in ("azula MMPS", third) for metric in (crps, units)),
                *(get(method=third, metric=metric, **mixture) for metric in ("difference", "standard error")),
            ),
        ),
    ]


def scoreboard() -> list[Claim]:
    """Twin experiments."""
    get = partial(value, "osse", case="", zone="all")
    dressed = f"{REGRESSION}, dressed"
    zos, thetao, so, u, v = (gain_of_oceans(c) for c in OCEAN)
    against = dict(zip(OCEAN, (gain_of_oceans(c, dressed) for c in OCEAN), strict=True))
    crps = {m: [get(method=m, channel=c, metric="crps") for c in OCEAN] for m in methods()}
    with_covariance = [m for m in crps if not m.startswith((OURS, REGRESSION))]
    rmse = {c: [get(method=m, channel=c, metric="rmse") for m in (REGRESSION, OURS, YARDSTICK)] for c in OCEAN}
    spread = [get(method=OURS, channel=c, metric="spread_skill") for c in OCEAN]
    away = {
        name: {c: value("osse", method=m, channel=c, metric=f"{name}_departure") for c in OCEAN}
        for name, m in (("member", OURS), ("mean", OURS))
    }
    theirs = {c: value("osse", method=YARDSTICK, channel=c, metric="member_departure") for c in OCEAN[:3]}
    loud = [value("osse", method=m, channel="zos", metric="crps / crps as stated") for m in (OURS, YARDSTICK)]
    currents = {m: [get(method=m, channel=c, metric="crps") for c in ("uo", "vo")] for m in (OURS, dressed)}
    total = [100 * (ours / other - 1) for ours, other in zip(*currents.values(), strict=True)]

    def behind(channel: str) -> tuple[float, float, float]:
        """By how much the dressed regression is ahead: in all cases, and in the oceans of least and of most."""
        whole, least, most = against[channel]
        return -whole, -most, -least

    outside = {c: get(method=OURS, channel=c, metric="outside") for c in OCEAN}
    return [
        Claim(RESULTS, "CRPS of {:.0f} cases over a year", (value("osse", case="", method=OURS, metric="cases"),)),
        Claim(
            RESULTS,
            "The default is ahead of optimal interpolation and of the Gaussian prior** in sea level, temperature and "
            "the residual current. Its CRPS is lower than that of multivariate optimal interpolation by {:.0f} % in "
            "sea level ({:.0f} to {:.0f}) and by {:.0f} % in temperature ({:.0f} to {:.0f}). In the residual current's "
            "u and v it is lower by {:.0f} % ({:.0f} to {:.0f}) and {:.0f} % ({:.0f} to {:.0f}).",
            (*zos, *thetao, *u, *v),
            holds=all(gain_of_oceans(c, m)[1] > 0 for m in with_covariance for c in OCEAN if c != "so"),
        ),
        Claim(RESULTS, "There it gains {:.0f} % ({:.0f} to {:.0f}): within noise", so, holds=so[1] < 0 < so[2]),
        Claim(
            RESULTS,
            "The default is ahead of it by {:.0f} % in temperature ({:.0f} to {:.0f}).",
            against["thetao"],
            holds=against["thetao"][1] > 0,
        ),
        Claim(
            RESULTS,
            "In the residual current the regression is ahead, by {:.0f} % ({:.0f} to {:.0f}) and {:.0f} % "
            "({:.0f} to {:.0f}). In the total current it is ahead by {:.0f} % and {:.0f} %.",
            (*behind(OCEAN[3]), *behind(OCEAN[4]), *total),
            holds=all(against[c][2] < 0 for c in OCEAN[3:]) and min(total) > 0,
        ),
        Claim(
            RESULTS,
            "In sea level ({:.0f} %, {:.0f} to {:.0f}) and salinity ({:.0f} %, {:.0f} to {:.0f}) the difference is "
            "within noise.",
            (*against["zos"], *against["so"]),
            holds=all(against[c][1] < 0 < against[c][2] for c in ("zos", "so")),
        ),
        Claim(
            OSSE,
            "it is ahead of the diffusion prior in the current, within noise of it in sea level and salinity, "
            "and behind in temperature",
            holds=all(against[c][2] < 0 for c in OCEAN[3:])
            and min(total) > 0
            and all(against[c][1] < 0 < against[c][2] for c in ("zos", "so"))
            and against["thetao"][1] > 0,
        ),
        Claim(
            RESULTS,
            "The default's ratio of spread to error is within a tenth of one in these five channels.",
            holds=all(0.9 <= ratio <= 1.1 for ratio in spread),
        ),
        Claim(
            RESULTS,
            "In salinity the truth lies outside all members {:.2f} times as often as promised, and in the residual "
            "current {:.2f} and {:.2f} times.",
            tuple(outside[c] for c in OCEAN[2:]),
        ),
        Claim(
            OSSE,
            "In salinity the truth lies outside more often. In the residual current it lies outside less often, "
            "though the ratio is near one",
            holds=outside["so"] > 1.1
            and all(outside[c] < 0.9 for c in OCEAN[3:])
            and all(0.85 <= outside[c] <= 1.15 for c in OCEAN[:2]),
        ),
        Claim(
            RESULTS,
            "above 40 km, to {:.2f} decades in sea level, temperature and salinity. So do those of optimal "
            "interpolation.",
            (max(away["member"][c] for c in OCEAN[:3]),),
            holds=max(away["member"][c] for c in OCEAN[:3]) <= 0.15 and max(theirs.values()) <= 0.15,
        ),
        Claim(
            RESULTS,
            "In sea level ours lose {:.2f} decades, those of optimal interpolation {:.2f}, and the regression's one "
            "map {:.2f}.",
            tuple(
                value("osse", method=m, channel="zos", metric="mean_departure") for m in (OURS, YARDSTICK, REGRESSION)
            ),
        ),
        Claim(
            RESULTS,
            "ours miss the 0.15 decades aimed at: {:.2f} and {:.2f}",
            tuple(away["member"][c] for c in OCEAN[3:]),
            holds=all(away["member"][c] > 0.15 for c in OCEAN[3:]),
        ),
        Claim(
            RESULTS,
            "In sea level the regression's RMSE is {:.3f} m, the ensemble mean's {:.3f} m, and that of optimal "
            "interpolation {:.3f} m. In salinity they are {:.3f}, {:.3f} and {:.3f}. In the residual current they are "
            "{:.3f} and {:.3f} m/s, {:.3f} and {:.3f} m/s, {:.3f} and {:.3f} m/s.",
            (*rmse["zos"], *rmse["so"], *(x for pair in zip(*(rmse[c] for c in OCEAN[3:]), strict=True) for x in pair)),
            holds=all(rmse[c][0] < rmse[c][1] for c in OCEAN if c != "thetao"),
        ),
        Claim(
            RESULTS,
            "In temperature the regression is behind: {:.2f} against {:.2f} degC ({:.2f}).",
            tuple(rmse["thetao"]),
            holds=rmse["thetao"][0] > rmse["thetao"][1],
        ),
        Claim(
            RESULTS,
            "the CRPS of sea level rises by {:.0f} % for the default and by {:.0f} % for optimal interpolation, a "
            "difference within noise",
            tuple(100 * (ratio - 1) for ratio in loud),
        ),
    ]


def lag_time() -> list[Claim]:
    """How the age of altimetry counts in twin experiments."""
    aged, timely = "age as an error", [name for name in names("lag_time", "case") if name.endswith(" days")]
    choice = [
        pick(stored("choice"), case=case, method="default", channel="thetao")["value"]
        for case in ("validation oceans", "another climate")
    ]
    level = {"channel": "zos", "metric": "crps"}
    crps = [value("lag_time_heldout", ocean="", case=name, **level) for name in timely]
    oceans = [n for n in names("lag_time", "ocean") if n]

    def gain(ocean: str, table: str = "lag_time") -> float:
        """By how much the time that is best in all oceans together is below age as an error."""
        best = min(timely, key=lambda name: value(table, ocean="", case=name, **level))
        return 1 - value(table, ocean=ocean, case=best, **level) / value(table, ocean=ocean, case=aged, **level)

    return [
        Claim(
            CARD,
            "Two iterations are ahead of the former default in temperature in every ocean.",
            holds=all((found < 0).all() for found in choice),
        ),
        Claim(
            OSSE,
            "On three other oceans the two ways are level: {:.4f} m with age as an error, {:.4f} m with the best of "
            "these times, and one of the three oceans disagrees.",
            (
                value("lag_time", ocean="", case=aged, **level),
                min(value("lag_time", ocean="", case=name, **level) for name in timely),
            ),
            holds=sorted(gain(n) > 0 for n in oceans) == [False, True, True],
        ),
        Claim(
            OSSE,
            "has a CRPS of sea level of {:.4f} m with age as an error, and of {:.4f} to {:.4f} m with one lag time",
            (value("lag_time_heldout", ocean="", case=aged, **level), min(crps), max(crps)),
            holds=all(gain(n, "lag_time_heldout") < 0 for n in names("lag_time_heldout", "ocean")),
        ),
    ]


def guidances() -> list[Claim]:
    """Every guidance on the same prior."""
    genda = "GenDA's sampler, gamma 0.1"
    small = {"case": COMMON, "metric": LESS, "method": "GenDA's sampler, gamma 0.01", "zone": "all"}
    oceans = [n for n in names("osse", "ocean", case=COMMON) if n]
    return [
        Claim(
            RESULTS,
            "GenDA's setting, gamma 0.1, is hardly better than optimal interpolation for what is observed",
            holds=all(0.9 < guidance(genda, c) < 1.05 for c in ("zos", "thetao")),
        ),
        Claim(
            RESULTS,
            "With 0.01 nothing is ahead but by chance",
            holds=not any(all(value("osse", ocean=n, channel=c, **small) < 0 for n in oceans) for c in OCEAN),
        ),
    ]


def drifters() -> list[Claim]:
    """An experiment judged by drifters."""
    get = partial(value, "ose")
    few, sixteen = HOURLY | {"date": "16 days"}, partial(value, "ose_sixteen")
    genda, ekman = "GenDA's sampler, gamma 0.1", "L4 geostrophic + Ekman"
    without = "diffusion, without residual current"

    def less(product: str, metric: str, case: dict, table: str = "ose") -> tuple[float, ...]:
        """Ours less a product's, with its interval; in CRPS a product without an ensemble as it is dressed."""
        other = as_judged(product) if metric == "crps" else product
        return interval(table, method=OURS, metric=f"{metric} less {other}", **case)

    def ahead(product: str, metric: str, case: dict) -> bool:
        return less(product, metric, case)[2] < 0

    def nearer(product: str) -> list[float]:
        """By how much ours is nearer to the truth in the components of the current (percent)."""
        return sorted(percent("ose", OURS, product, case="truth", channel=c, metric="rmse") for c in ("uo", "vo"))

    def lower(product: str) -> float:
        """By how much a product's CRPS of sea level is below ours, against the truth (percent)."""
        return percent("ose", product, OURS, case="truth", channel="zos", metric="crps")

    behind, scores = ("climatology", "L4 geostrophic", YARDSTICK, REGRESSION), ("vector_error", "crps")
    against_ekman = [less(ekman, score, case) for case in (HOURLY, DAILY) for score in scores]
    truth = [
        pick(stored("ose"), case="truth", channel=c, metric="rmse").set_index("method")["value"]
        for c in ("thetao", "so", "uo", "vo")
    ]
    spread = ("zos", "thetao", "so", "uo", "vo")
    level = {m: get(case="truth", method=m, channel="zos", metric="rmse") for m in ("L4", OURS, REGRESSION)}
    is_nearest = all(values.idxmin() == OURS for values in truth)
    rmse, resolved = (
        [get(case="withheld altimeter", method=m, metric=metric) for m in (OURS, "L4", REGRESSION, YARDSTICK)]
        for metric in ("rmse", "along_track_resolution")
    )
    beats = all(ahead(m, score, case) for m in behind for score in scores for case in (HOURLY, DAILY))
    error, ratio = get(metric="observation_error", **HOURLY), get(method=OURS, metric="spread_skill", **HOURLY)
    whole, part = (get(method=m, metric="vector_error", **HOURLY) for m in (OURS, without))
    less_fast = less(FAST, "vector_error", few, "ose_sixteen")
    return [
        Claim(RESULTS, "would have a vector error of {:.3f} m/s", (error * math.sqrt(math.pi / 2),)),
        Claim(
            RESULTS,
            "**Ours is ahead of climatology, the geostrophic current, optimal interpolation and the dressed "
            "regression** by more than chance.",
            holds=beats,
        ),
        Claim(
            RESULTS,
            "Hour by hour, the differences are {:+.4f} m/s ({:+.4f} to {:+.4f}) in vector error and {:+.4f} ({:+.4f} "
            "to {:+.4f}) in CRPS. In daily means they are {:+.4f} ({:+.4f} to {:+.4f}) and {:+.4f} ({:+.4f} to "
            "{:+.4f}).",
            tuple(v for one in against_ekman for v in one),
            holds=all(low < 0 < high for _, low, high in against_ekman),
        ),
        Claim(
            RESULTS,
            "The spread at drifters is {:.2f} of the error. That says little, because most of this error is the "
            "drifters' own inertial motion. Against the truth the ratio is {:.2f} in sea level, {:.2f} in temperature, "
            "{:.2f} in salinity, {:.2f} and {:.2f} in the current.",
            (ratio, *(get(case="truth", method=OURS, channel=c, metric="spread_skill") for c in spread)),
        ),
        Claim(
            RESULTS,
            "Against the twin's truth ours is the nearest in currents, temperature and salinity. In currents it errs "
            "less than the regression by {:.0f} to {:.0f} %, and less than optimal interpolation by {:.0f} to {:.0f} "
            "%.",
            (*nearer(REGRESSION), *nearer(YARDSTICK)),
            holds=is_nearest,
        ),
        Claim(
            RESULTS,
            "is nearer on {:.0f} of the 61 days (which are not independent of each other). Its error is {:.1f} cm and "
            "ours {:.1f} cm; dressed, its CRPS is {:.0f} % lower. The regression is level with ours: its error is "
            "{:.1f} cm, and its CRPS, dressed, is {:.0f} % lower.",
            (
                get(case="truth", method="L4", channel="zos", metric="days_ahead"),
                *(100 * level[m] for m in ("L4", OURS)),
                lower("L4, dressed"),
                100 * level[REGRESSION],
                lower(f"{REGRESSION}, dressed"),
            ),
            holds=level["L4"] < level[OURS] and abs(level[REGRESSION] / level[OURS] - 1) < 0.05,
        ),
        Claim(
            RESULTS,
            "ours errs by {:.1f} cm, L4 by {:.1f}, the regression by {:.1f} and optimal interpolation by {:.1f}. Ours "
            "resolves {:.0f} km there, the others {:.0f}, {:.0f} and {:.0f} km.",
            (*(100 * v for v in rmse), *resolved),
        ),
        Claim(RESULTS, "On sixteen of these days ({:.0f} drifters)", (sixteen(metric="drifters", **few),)),
        Claim(
            RESULTS,
            "GenDA's vector error is {:.3f} m/s and ours {:.3f} m/s, a **difference of {:.3f} ({:.3f} to {:.3f})**. "
            "Its CRPS is {:.4f} and ours {:.4f} (**{:.4f}, {:.4f} to {:.4f}**)",
            tuple(
                v
                for score in scores
                for v in (
                    *(sixteen(method=m, metric=score, **few) for m in (genda, OURS)),
                    *less(genda, score, few, "ose_sixteen"),
                )
            ),
            holds=all(less(genda, score, few, "ose_sixteen")[2] < 0 for score in scores),
        ),
        Claim(
            RESULTS,
            "The fast method has {:.3f} m/s, within noise of that default.",
            (sixteen(method=FAST, metric="vector_error", **few),),
            holds=less_fast[1] < 0 < less_fast[2],
        ),
        Claim(
            OSE,
            "**Ours is ahead of climatology, of the geostrophic current, of optimal interpolation and of the "
            "regression**",
            holds=beats,
        ),
        Claim(
            OSE,
            "by little and surely: {:.0f} % of the error",
            (100 * (1 - whole / part),),
            holds=ahead(without, "vector_error", HOURLY),
        ),
        Claim(
            OSE,
            "ahead of the regression by {:.0f} to {:.0f} %, and of optimal interpolation by {:.0f} to {:.0f} %. In sea "
            "level it is not",
            (*nearer(REGRESSION), *nearer(YARDSTICK)),
            holds=is_nearest,
        ),
        Claim(
            OSE,
            "mapped sea level is nearer on {:.0f} of the 61 days, and the regression is level with ours",
            (get(case="truth", method="L4", channel="zos", metric="days_ahead"),),
            holds=abs(level[REGRESSION] / level[OURS] - 1) < 0.05,
        ),
        Claim(
            OSE,
            "resolves shorter waves, below 120 km to its 130",
            holds=resolved[0] < 120 and 125 < resolved[1] < 135,
        ),
    ]


def speed() -> list[Claim]:
    """What an analysis costs."""
    get = partial(value, "speed", method="default")
    usual = get(case=USUAL, metric="seconds")
    same = stored("speed")
    same = same[same["case"].str.startswith("16 members, 64 x 64") & (same["metric"] == "MiB")]
    most = same.loc[same["value"].idxmax()]
    cases = (
        "64 members, 64 x 64 points, 1000 observations",
        "16 members, 128 x 128 points, 1000 observations",
        "16 members, 64 x 64 points, 8000 observations",
    )
    return [
        Claim(
            RESULTS,
            "Four times as many members cost {:.1f} times as much, and four times as many points {:.1f} times. Eight "
            "times as many observations cost {:.1f} times as much.",
            tuple(get(case=case, metric="seconds") / usual for case in cases),
        ),
        Claim(
            RESULTS,
            "The most memory at this size, {:.0f} MB, is taken by the default with 2,000 observations",
            (MB * most["value"],),
            holds=(most["method"], most["case"]) == ("default", USUAL.replace("1000 o", "2000 o")),
        ),
    ]


def card() -> list[Claim]:
    """The cards of the data and of the prior."""
    ocean = partial(value, "nature", method="")
    halves = [{"case": f"training oceans, {half} ten"} for half in ("first", "second")]
    both = lambda metric: [ocean(metric=metric, **half) for half in halves]  # noqa: E731
    every = {"case": "training oceans"}
    slopes = [ocean(metric=f"{name} spectral slope", **every) for name in ("KE", "SSH", "SST")]
    jet = partial(value, "numerics", metric="difference (mm)")
    order = partial(value, "numerics", metric="order")
    scales = ("250 km, 7 days", "150 km, 7 days", "250 km, 10 days")
    mapping = {case: value("mapping", case=case, metric="rmse") for case in scales}
    loss = {c: value("prior", case="validation oceans", channel=c) for c in CHANNELS}
    validation = partial(value, "ablation", case="validation oceans", metric="loss")
    twin = partial(value, "ablation", case="twin", metric="loss")
    curve = {name: pd.read_csv(FOLDER / f"{name}_lite.csv") for name in ("prior", "regression")}
    regression = curve["regression"].iloc[-1]
    return [
        Claim(
            CARD,
            "sea-level std {:.3f} and {:.3f} m ({:.3f} to {:.3f} from ocean to ocean), speed {:.3f} and {:.3f} m/s "
            "rms, vorticity/f {:.3f} and {:.3f}, e-folding time {:.1f} and {:.1f} d, slopes {:.2f}, {:.2f} and "
            "{:.2f} in both to 0.03, wind {:.1f} and {:.1f} m/s, coupling {:.2f} m/s per degC.",
            (
                *both("SSH std (m)"),
                *(ocean(b, metric="SSH std (m)", **every) for b in BOUNDS[1:]),
                *both("speed rms (m/s)"),
                *both("vorticity/f rms"),
                *both("SSH e-folding time (d)"),
                *slopes,
                *both("wind speed (m/s)"),
                ocean(metric="wind-SST coupling (m/s per degC)", **every),
            ),
        ),
        Claim(
            CARD,
            "sea level varies less in so short a time ({:.2f} m)",
            (ocean(case="twin", metric="SSH temporal std (m)"),),
        ),
        Claim(
            CARD,
            "differs by {:.1f}, {:.1f} and {:.1f} mm from each to the next (orders {:.1f} and {:.1f};",
            (
                *(jet(case=case) for case in names("numerics", "case", metric="difference (mm)")),
                *(order(case=case) for case in names("numerics", "case", metric="order")),
            ),
        ),
        Claim(
            CARD,
            "a cooling of that size would be {:.1f} degC over the two years",
            (-0.2 * value("drift", method="trend per decade", metric="SST of the box (degC)"),),
        ),
        Claim(
            CARD,
            "`--tune`: {:.1f} cm; {:.1f} cm with 150 km, {:.1f} cm with 10 days)",
            tuple(100 * v for v in mapping.values()),
            holds=min(mapping.values()) == mapping["250 km, 7 days"],
        ),
        Claim(CARD, "One core simulates {:.0f} years an hour at 8 km", (value("numerics", metric="years an hour"),)),
        Claim(
            CARD,
            "{:.3f}, {:.3f} and {:.3f} for sea level, temperature and salinity, {:.3f} and {:.3f} for the residual "
            "current, but {:.3f} and {:.3f} for the winds",
            tuple(loss[c] for c in CHANNELS),
        ),
        Claim(
            CARD,
            "the five channels of the ocean alone would stand at {:.3f}",
            (sum(loss[c] for c in OCEAN) / len(OCEAN),),
        ),
        Claim(
            CARD,
            "Loss on the validation oceans {:.3f} (another seed {:.3f}); with EDM's scalars {:.2f}, with EDM's "
            "noise, too, {:.2f}; AdamW for all weights {:.3f}; without the filter's estimate among the inputs "
            "{:.3f}; EDM's noise {:.3f}; cosines for EOFs {:.3f}; 0.3 and 0.8 M parameters {:.3f} and {:.3f}; "
            "patches of 4 points {:.3f}. One ocean instead of twenty costs {:.0f} % on oceans like those trained on, "
            "and {:.0f} % on the twin",
            (
                *(
                    validation(method=method)
                    for method in (
                        "default",
                        "default, another seed",
                        "EDM's scalars",
                        "EDM's scalars and noise",
                        "AdamW for all",
                        "without the linear estimate",
                        "EDM's noise",
                        "cosines for EOFs",
                        "0.3 M parameters",
                        "0.8 M parameters",
                        "1.4 M parameters, patches of 4",
                    )
                ),
                *(100 * (get(method="1 ocean, 244 frames") / get(method="default") - 1) for get in (validation, twin)),
            ),
        ),
        Claim(
            CARD,
            "ended lower ({:.3f} against {:.3f}; another seed {:.3f})",
            tuple(validation(method=m) for m in ("noise 0.0, 1.7", "default", "default, another seed")),
            holds=validation(method="noise 0.0, 1.7") < validation(method="default"),
        ),
        Claim(
            CARD,
            "{:.1f} to {:.1f} times as fast as the transformer, at half to a third of their memory",
            tuple(
                value("training", method=m, metric="images/s of genda_lite over its")
                for m in ("PhysicsNeMo DiT", "PhysicsNeMo DiT, Wiener loss")
            ),
        ),
        Claim(
            CARD,
            "windows in {:.0f} CPU-minutes (the prior: 800,000 in {:.1f} hours); in the last tenth of it its "
            "validation loss fell from {:.3f} to {:.3f}.",
            (
                regression["cpu_seconds"] / 60,
                curve["prior"]["cpu_seconds"].iloc[-1] / 3600,
                *curve["regression"]["validation"].iloc[-2:],
            ),
        ),
        *widths(),
        Claim(
            CARD,
            "192,000 windows in {:.0f} CPU-minutes (`make train`;",
            (pd.read_csv(FOLDER / "regression_wide.csv")["cpu_seconds"].iloc[-1] / 60,),
        ),
        Claim(
            CARD,
            "Above a noise level of 6, where little of a window is left to see, it is {:.2f}.",
            (curve["prior"]["sigma 6-inf"].iloc[-1],),
        ),
        Claim(CARD, "bfloat16 on one CPU core, {:.1f} CPU-hours", (curve["prior"]["cpu_seconds"].iloc[-1] / 3600,)),
        Claim(
            CARD,
            "sea level {:.3f}, temperature {:.3f}, salinity {:.3f}, residual current {:.2f} and {:.2f}, winds {:.2f} "
            "and {:.2f}",
            tuple(regression[c] for c in CHANNELS),
        ),
    ]


def widths() -> list[Claim]:
    """What each part of a prior's width is worth."""
    old, wide, everything = "old physics, one climate", "wide physics, one climate", "wide physics, all"

    def gain(judge: str, channel: str, one: str = wide, other: str = old) -> tuple[float, ...]:
        labels = {"case": judge, "channel": channel, "method": f"{one}: Gaussian"}
        return interval("width", 100, metric=f"crps less {other}: Gaussian", **labels)

    def ratio(judge: str, channel: str, one: str) -> float:
        """Spread over error."""
        return value("width", case=judge, channel=channel, method=f"{one}: Gaussian", metric="spread_skill")

    def off(judge: str, one: str) -> float:
        return abs(math.log(ratio(judge, "zos", one)))

    each = [case for case in names("width", "case") if case.startswith("real sea level, ")]
    level, warmth = gain("real sea level", "zos"), gain("real temperature", "thetao")
    seas, salt = value("width", case="real sea level", metric="units"), {"case": "tuning twin", "channel": "so"}
    climate, larger = gain("real sea level", "zos", everything, wide), f"{everything}, larger"
    too_large = gain("real sea level", "zos", larger, wide)
    return [
        Claim(
            CARD,
            "sea level along real tracks, {:+.0f} % ({:+.0f} to {:+.0f} %, 95 % over eight independent regions), "
            "and leave real temperature within noise, {:+.0f} % ({:+.0f} to {:+.0f} %). They cost salinity {:+.0f} % "
            "on the twin and {:+.0f} % on the old oceans",
            (*level, *warmth, gain("tuning twin", "so")[0], gain("old oceans", "so")[0]),
            holds=level[2] < 0 and warmth[1] < 0 < warmth[2] and seas == 8,
        ),
        Claim(
            CARD,
            "The random climate takes salinity {:+.0f} % on the twin and {:+.0f} % on the old oceans, and leaves real "
            "sea level within noise, {:+.1f} % ({:+.1f} to {:+.1f} %). Together they make salinity too wide for the "
            "twin: spread/error {:.2f}.",
            (
                *(gain(judge, "so", everything, wide)[0] for judge in ("tuning twin", "old oceans")),
                *climate,
                value("width", method=f"{everything}: Gaussian", metric="spread_skill", **salt),
            ),
            holds=climate[1] < 0 < climate[2],
        ),
        Claim(
            CARD,
            "spread/error {:.2f} in the twin's salinity and a cost of {:.1f} % ({:.1f} to {:.1f} %) in real sea level",
            (value("width", method=f"{larger}: Gaussian", metric="spread_skill", **salt), *too_large),
            holds=too_large[1] > 0,
        ),
        Claim(
            PRODUCTS,
            "comes closer to their error in all seas together ({:.2f} to {:.2f}), and in half of the seas",
            (ratio("real sea level", "zos", old), ratio("real sea level", "zos", everything)),
            holds=sum(off(sea, everything) < off(sea, old) for sea in each) == len(each) / 2 == 4,
        ),
        Claim(
            PRODUCTS,
            "(The spread of temperature, too wide with the old oceans, grows from {:.2f} to {:.2f} times the error.",
            (ratio("real temperature", "thetao", old), ratio("real temperature", "thetao", everything)),
        ),
    ]


def wide() -> list[Claim]:
    """What the prior of wide oceans is worth."""
    lite, linear, new = "old: diffusion", "new: Gaussian", "new: diffusion"

    def gain(judge: str, channel: str, other: str = lite) -> tuple[float, ...]:
        """By how much its CRPS is below another's (percent), and the ends of the interval."""
        labels = {"case": judge, "channel": channel, "method": new, "metric": f"crps less {other}"}
        found, low, high = interval("networks", -100, **labels)
        return found, high, low

    def spread(judge: str, channel: str) -> float:
        return value("networks", case=judge, channel=channel, method=new, metric="spread_skill")

    def wider(prior: str) -> tuple[float, float]:
        """The first and the last decile of the deviation of temperature in a draw's box."""
        labels = {"case": "thetao", "method": f"draws, {prior}", "channel": "thetao", "metric": "deviation"}
        return interval("beside", **labels)[1:]

    warmth, level = gain("real temperature", "thetao"), gain("real sea level", "zos")
    than_linear = gain("real temperature", "thetao", linear)
    behind = [-v for v in gain("real sea level", "zos", linear)]
    seas = [case for case in names("networks", "case") if case.startswith("real sea level, ")]
    cost = [-gain("old oceans", channel)[0] for channel in ("zos", "thetao", "so")]
    return [
        Claim(
            CARD,
            "{:.0f} boxes of the Gulf Stream, {:.0f} of eight seas",
            tuple(value("beside", case="zos", method=f"real, {where}", metric="boxes")
                  for where in ("Gulf Stream", "eight seas")),
        ),
        Claim(
            CARD,
            "In temperature those of `wide` differ more from each other than those of `lite`",
            holds=wider("wide")[0] < wider("lite")[0] and wider("lite")[1] < wider("wide")[1],
        ),
        Claim(
            README,
            "lower than that of the default prior by {:.0f} % in real temperature and by {:.0f} % in real sea level",
            (warmth[0], level[0]),
            holds=warmth[1] > 0 and level[1] > 0,
        ),
        Claim(
            RESULTS,
            "Its CRPS is lower than that of `lite` by {:.0f} % in temperature ({:.0f} to {:.0f}) and by {:.0f} % in "
            "sea level ({:.0f} to {:.0f}). In temperature it is also ahead of its own Gaussian prior, by {:.0f} % "
            "({:.0f} to {:.0f})",
            (*warmth, *level, *than_linear),
            holds=min(warmth[1], level[1], than_linear[1]) > 0,
        ),
        Claim(
            RESULTS,
            "wide oceans is ahead of it by {:.0f} % ({:.0f} to {:.0f})",
            (behind[0], behind[2], behind[1]),
            holds=behind[2] > 0,
        ),
        Claim(
            RESULTS,
            "Sea level has {:.2f}, all seas together, but {:.2f} in the Agulhas and {:.2f} in the South Pacific; "
            "temperature has {:.2f}.",
            (
                spread("real sea level", "zos"),
                spread("real sea level, agulhas", "zos"),
                spread("real sea level, south-pacific", "zos"),
                spread("real temperature", "thetao"),
            ),
        ),
        Claim(
            RESULTS,
            "There the wide prior's CRPS is {:.0f} % higher in sea level, {:.0f} % in temperature and {:.0f} % in "
            "salinity.",
            tuple(cost),
            holds=max(cost) > 5,
        ),
        Claim(
            PRIOR,
            "On real temperature the wide network's CRPS is lower by {:.0f} % ({:.0f} to {:.0f}, 95 % over eight "
            "seas), on real sea level by {:.0f} % ({:.0f} to {:.0f}).",
            (*warmth, *level),
        ),
        Claim(PRIOR, "narrow prior's training it is higher by {:.0f} % in sea level", (cost[0],)),
        Claim(PRIOR, "ahead of the wide Gaussian prior by {:.0f} % ({:.0f} to {:.0f})", than_linear),
        Claim(
            CARD,
            "Sea level has it in all seas together, and in two of the eight by themselves; the Agulhas has {:.2f}, "
            "the South Pacific {:.2f}. Temperature is too wide: {:.2f}.",
            (
                spread("real sea level, agulhas", "zos"),
                spread("real sea level, south-pacific", "zos"),
                spread("real temperature", "thetao"),
            ),
            holds=sum(0.9 <= spread(sea, "zos") <= 1.1 for sea in seas) == 2
            and 0.9 <= spread("real sea level", "zos") <= 1.1 < spread("real temperature", "thetao"),
        ),
    ]


def chapters() -> list[Claim]:
    """Of the chapters, what no cell computes."""
    validation = partial(value, "ablation", case="validation oceans", metric="loss")
    twin = partial(value, "ablation", case="twin", channel="", metric="loss")
    crps = partial(value, "ablation", case="twin", channel="zos", metric="crps")
    seed = [abs(1 - get(method="default, another seed") / get(method="default")) for get in (validation, crps)]
    aged, quoted = "age of a track as an error", partial(value, "genda", metric="vector_error")
    cases = stated, fifth = "errors x 1", "errors x 0.2"
    wide = {
        (method, case): value("attenuation", case=case, method=method, metric="spread")
        for method in ("default", "oi-jacobian")
        for case in cases
    }
    high = [f"sigma {sigma}" for sigma in ("80", "46", "26.5", "15.2", "8.76")]
    length = {case: pick(stored("attenuation"), case=case, metric="step length", zone=high) for case in cases}
    some = [method for method in names("ablation") if method.startswith(("1 ocean", "3 oceans"))]
    few = [twin(method=method) / twin(method="default") - 1 for method in some]
    return [
        Claim(
            PRIOR,
            "a difference of {:.1f} % in the loss, of {:.0f} % in the errors of analyses, is chance",
            tuple(100 * v for v in seed),
        ),
        Claim(
            PRIOR,
            "A lower mean would have gained about {:.0f} %.",
            (100 * (1 - validation(method="noise 0.0, 1.7") / validation(method="default")),),
        ),
        Claim(
            PRIOR,
            "one or three oceans are worse than twenty, by {:.0f} to {:.0f} %.",
            (100 * min(few), 100 * max(few)),
            holds=min(few) > 0,
        ),
        Claim(
            OSE,
            "the current *without* its residual channel is the better one ({:.4f} against {:.4f})",
            tuple(quoted(method=m) for m in ("GenDA, geostrophic + Ekman only", "GenDA, ensemble mean")),
        ),
        Claim(
            OSE,
            "correlates by {:.2f} to {:.2f} with that of 3 August",
            likeness("2000-08-03", "2000-08-04", "2000-08-07"),
        ),
        Claim(
            OSE,
            "On those four days it was worse, by {:.0f} to {:.0f} % in sea level",
            more("changes correlated with the state", channel="zos"),
        ),
        Claim(
            OSE,
            "({:.3f} m/s), but its difference from optimal interpolation is then no more than chance. Against the "
            "truth ours errs by {:.0f} to {:.0f} % more in current and by {:.0f} % *less* in sea level, and optimal "
            "interpolation by {:.0f} % more in both",
            (
                value("variants", metric="vector_error"),
                *more(aged, method=OURS, channel="current"),
                -more(aged, method=OURS, channel="zos")[0],
                more(aged, method=YARDSTICK, channel="zos")[0],
            ),
        ),
        Claim(
            OSE,
            "windows of 7, 9 and 12 days instead of 5: worse by {:.0f} to {:.0f} % in current",
            more("windows of 7, 9 and 12 days", channel="current"),
        ),
        Claim(
            OSE,
            "Its spread *grows* in this window, from {:.2f} to {:.2f} m/s.",
            (wide["default", stated], wide["default", fifth]),
            holds=wide["default", fifth] > wide["default", stated],
        ),
        Claim(
            OSE,
            "$s$ falls to {:.1f} to {:.1f}, where with the stated errors it is {:.1f} to {:.1f}, at the noise (9 to 80 "
            "standard deviations)",
            (*reach(length[fifth]), *reach(length[stated])),
        ),
        Claim(
            OSE,
            "Without $s$ (`oi-jacobian`) it is worse, {:.1f} m/s",
            (wide["oi-jacobian", fifth],),
            holds=wide["oi-jacobian", fifth] > wide["default", fifth],
        ),
        Claim(
            OSSE,
            "four times as many cost about four times as much",
            holds=3.5 < speed_of("64 members, 64 x 64 points, 1000 observations") / speed_of(USUAL) < 4.5,
        ),
    ]


@cache
def likeness(day: str, first: str, last: str) -> tuple[float, float]:
    """The least and the most that the anomaly of sea level of some days of the twin correlates with that of another."""
    zos = load_sample("twin_truth")["zos"]
    anomaly = (zos - zos.mean("time")).stack(point=("latitude", "longitude"))
    one, others = anomaly.sel(time=day).values, anomaly.sel(time=slice(first, last)).values
    found = [np.corrcoef(one.ravel(), other)[0, 1] for other in others]
    return min(found), max(found)


def more(case: str, **labels: str) -> tuple[float, float]:
    """By how much a variant of the experiment errs more, from least to most (percent)."""
    ratios = pick(stored("variants"), case=case, metric="rmse over that of the experiment", **labels)
    return tuple(100 * (end - 1) for end in reach(ratios))


def speed_of(case: str) -> float:
    """Seconds of the default."""
    return value("speed", case=case, method="default", metric="seconds")
