"""What is known of a person: taste in style space, and what to do with little or no history."""
