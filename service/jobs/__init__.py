"""Work for agents and for the service itself: submission, queue, states."""
