"""What was found: experiments as a store has them, with their metrics, ladders and trainings."""
