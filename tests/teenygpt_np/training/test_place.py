"""Where a training stands, as a checkpoint tells it."""

from __future__ import annotations

from teenygpt_np.training.place import Place


def test_an_older_place_counts_the_loss_of_the_steps_that_come() -> None:
    """It has the sum of its epoch's loss, but not of how many headlines."""
    place = Place({}, step=5, batches_done=2, epoch_tokens=50, epoch_units=8, epoch_loss=9.0)
    meta = place.as_meta()
    assert Place.from_meta(meta, "val_nll") == place
    del meta["epoch_units"]
    older = Place.from_meta(meta, "val_nll")
    assert (older.epoch_units, older.epoch_loss) == (0, 0.0)
    assert (older.step, older.batches_done, older.epoch_tokens) == (5, 2, 50)
