"""Live data: one store per table, and a quick read of one user's state across tables (`user_state`)."""
