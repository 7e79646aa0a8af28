"""Progress that no caller listens to."""

from profilers.progress import Progress, no_progress


def test_whatever_is_reported_is_ignored() -> None:
    progress: Progress = no_progress
    progress(0.5, "halfway")
    no_progress()
    no_progress(object())
