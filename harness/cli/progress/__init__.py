"""How the progress of runs and trainings is shown: bars on a terminal, plain lines elsewhere."""
