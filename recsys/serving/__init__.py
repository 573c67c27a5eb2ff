"""What serves: the current model, live changes of the catalog and of people, and the answers made of both."""
