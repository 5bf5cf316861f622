"""The colours of the runs: readable as small text in both schemes."""

import re

import pytest

from graph.html import stylesheet
from tests.fakes.colours import contrast

_SCHEMES = re.findall(r":root \{([^}]*)\}", stylesheet())


@pytest.mark.parametrize("rules", _SCHEMES, ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "raised", "sunk"])
def test_the_colours_of_runs_have_the_contrast_of_small_text(rules, ground):
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", rules))
    runs = {name: colour for name, colour in colours.items() if re.fullmatch(r"c\d", name)}
    assert len(runs) == 8
    contrasts = {name: contrast(colour, colours[ground]) for name, colour in runs.items()}
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}
