"""Fine-tune a trained model on other text, starting from the best weights of its run.

Usage: python examples/fine_tune.py RUN TEXT OUT [--epochs N]

RUN is a run directory, TEXT a file or directory as for `teenygpt_np.train --data`, OUT the new run
directory. Prints first the score of RUN's model on the new text, which one epoch should improve,
then what training prints. OUT is a run like any other, to sample, evaluate and resume.

The alphabet and the sizes stay those of RUN. The learning rate is a fifth of RUN's, so that the
first steps do not destroy what was learned.
"""

import argparse
import dataclasses
import os
from pathlib import Path

from teenygpt_np.cli import run_command
from teenygpt_np.inspector.page import write_report
from teenygpt_np.run_directory import check_new, load_run
from teenygpt_np.scores import scores
from teenygpt_np.text.corpus import load_corpus
from teenygpt_np.training.console import Console
from teenygpt_np.training.loop import Trainer


def main() -> int:
    """Load the run, train its model on the text, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()

    old = load_run(args.run)
    config = dataclasses.replace(
        old.config,
        data=os.path.abspath(args.text),
        columns=(),
        epochs=args.epochs,
        lr=old.config.lr / 5,
    )
    corpus = load_corpus(args.text, given=old.tokenizer, seed=config.seed)
    check_new(args.out)
    trainer = Trainer(config, corpus, Console())
    trainer.model.load_state_dict(old.model.state_dict())
    before = scores(old.model, trainer.rows["val"])[trainer.objective.score]
    print(f"before: val {before:.2f}")
    return trainer.run(args.out, write_report)


if __name__ == "__main__":
    run_command("fine_tune", main)
