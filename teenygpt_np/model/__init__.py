"""The model: layers, blocks, the mixers in them, and the language model made of these."""
