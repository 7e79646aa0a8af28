"""What an exception says of a model that was measured."""

from latcast.schema import BackendUnavailableError, Failure, InputError, InvalidFeedsError, ProfileSettings

__all__ = ["failure_of"]


def failure_of(error: Exception, settings: ProfileSettings, *, refused: str = "open") -> Failure:
    """The record of what was raised while a model was measured.

    Args:
        error: what was raised.
        settings: those that were measured with.
        refused: stage of the failure where the model is what cannot be used.
    """
    if isinstance(error, MemoryError):
        limit = settings.memory_limit_bytes / 2**20
        words = f" ({error})" if str(error) else ""
        return Failure(
            stage="memory", message=f"The model needs more than the {limit:,.0f} MiB that it may use{words}."
        )
    if isinstance(error, BackendUnavailableError):
        return Failure(stage="unavailable", message=str(error))
    if isinstance(error, InputError):
        return Failure(stage="feeds" if isinstance(error, InvalidFeedsError) else refused, message=str(error))
    return Failure(stage="run", message=f"{type(error).__name__}: {error}")
