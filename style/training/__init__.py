"""Train the networks that ship and custom engines; a run can be stopped at any moment and resumed."""
