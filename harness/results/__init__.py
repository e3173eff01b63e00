"""Results: reads recorded experiments from a store, groups them into ladders and trainings, and exports them."""
