"""What `python -m teenygpt_np.inspect` shows: a trained model's tape, and how its training went."""
