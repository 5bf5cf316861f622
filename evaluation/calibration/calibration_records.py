"""What of a calibration is kept: where a fit comes from, and figures for reports."""

from evaluation.answering.run_identity import embedder_of
from evaluation.calibration.calibration_document import Document
from evaluation.calibration.fitting import CANDIDATES, LEAST_SHARE, RIDGE
from evaluation.calibration.known_judges import Entry, Figures, judge_key
from evaluation.calibration.signals import ASCENDING
from evaluation.metrics.calibrated_formula import FOLDS
from evaluation.metrics.calibrated_judge import NAME
from graph.schema import Profile


def provenance(found: Document, profile: Profile) -> dict[str, object]:
    """Return where a fit comes from: no dates, so that equal fits give equal files."""
    signals = found["signals"]
    return {
        "grades": found["grades"],
        "method": f"fractional logistic regression, weights at least 0, ridge {RIDGE}; signals with "
        f"less than {LEAST_SHARE:.0%} of the weights left out; {FOLDS} folds by question",
        "candidates": [name for name in CANDIDATES if name in signals],
        "encoder": embedder_of(profile.embedder),
        "judge": found["judge"] and found["judge"]["fields"],
        "cross_validated": _figures(found, NAME),
        "ahead_of": {
            name: signal["calibrated_ahead"] for name, signal in signals.items() if name != NAME
        },
    }


def entries(found: Document, *, fitted: bool) -> list[Entry]:
    """Return the figures of the judges that were measured: reports name them."""
    kept: list[Entry] = []
    if found["judge"]:
        key = judge_key(found["judge"]["fields"])
        kept.append({"judge": key, **_figures(found, ASCENDING)})
    if fitted and found["calibrated"]:
        kept.append({"judge": found["calibrated"], **_figures(found, NAME)})
    return kept


def _figures(found: Document, name: str) -> Figures:
    signal = found["signals"][name]
    return {
        "grades": found["grades"]["file"],
        "n": signal["n"],
        "spearman": signal["spearman"],
        "pair_agreement": signal["pair_agreement"],
    }
