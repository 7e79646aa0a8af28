"""The device agent and its spool."""
