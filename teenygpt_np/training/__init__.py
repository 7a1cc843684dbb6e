"""How a model is trained: the loop, the objective, the optimizers, and what is printed."""
