"""Arrays of an index on disk."""

import numpy as np
import pytest

from graph.retrieval import array_files
from graph.retrieval.array_files import open_array


@pytest.mark.parametrize("mapped", [True, False])
def test_an_array_is_mapped_or_read(tmp_path, mapped):
    np.save(tmp_path / "a.npy", np.arange(3))
    array = open_array(tmp_path / "a.npy", mapped=mapped)
    assert array.tolist() == [0, 1, 2]
    assert isinstance(array, np.memmap) is mapped


def test_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        open_array(tmp_path / "a.npy", mapped=False)


def test_no_other_thread_reads_a_header_at_the_same_time(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.arange(3))
    load, are_locked = np.load, []

    def watched_load(*arguments, **options):
        are_locked.append(array_files._ONE_AT_A_TIME.locked())
        return load(*arguments, **options)

    monkeypatch.setattr(array_files.np, "load", watched_load)
    open_array(tmp_path / "a.npy")
    assert are_locked == [True]
    assert not array_files._ONE_AT_A_TIME.locked()
