"""From files to token ids: reading, folding into an alphabet, splitting, cutting into batches."""
