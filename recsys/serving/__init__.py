"""What serves: the current model, live changes of the catalogue and of people, and the answers made of both."""
