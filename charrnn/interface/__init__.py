"""What people write in Python: `charrnn.train` and `charrnn.load` give a run that samples, scores and answers."""
