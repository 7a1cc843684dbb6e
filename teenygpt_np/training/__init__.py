"""How a model is trained: the loop, what it minimizes, what it keeps, and what it shows."""
