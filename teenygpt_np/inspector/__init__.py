"""The inspector: a page or a listing of a trained model's tape, and how its training went."""
