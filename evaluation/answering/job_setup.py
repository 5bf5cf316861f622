"""The setup of a job, which each of its processes opens for itself."""

from evaluation.answering.answering_setup import AnsweringSetup, open_setup
from evaluation.answering.job import Job
from graph.models import Models


def open_job_setup(job: Job, models: Models, excluded: frozenset[str]) -> AnsweringSetup:
    """Open the index of a job and build its graph.

    Args:
        job: The job.
        models: The models of its profile.
        excluded: Ids of corpus questions that are never retrieved.

    Raises:
        DatasetError, IndexMismatchError, MissingExtraError: see `open_setup`.
    """
    choices = job.choices
    return open_setup(
        choices.settings,
        models,
        corpus=choices.corpus,
        index=job.index,
        excluded=excluded,
        judged=choices.judged,
        items=job.items,
        seed=choices.seed,
        calibrated=choices.calibrated.calibrated if choices.calibrated else None,
    )


def commits_of(models: Models) -> dict[str, str | None]:
    """Return the commits of the model repositories that were loaded, by role."""
    engines = {"generator": models.generator.engine, "judge": models.judge.engine}
    return {name: engine.commit for name, engine in engines.items()}
