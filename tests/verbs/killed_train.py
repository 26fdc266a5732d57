"""`fourfold train` with a checkpoint at every chance; run by test_kill_train.py.

python killed_train.py WORDS…: the words after `fourfold`.
"""

import sys

from fourfold.cli import main
from fourfold.methods.dreamscene4d import move
from fourfold.training import watch

if __name__ == "__main__":
    # A training as short as a test would end before the first checkpoint of its longest stage.
    move.CHECKPOINT_SECONDS = watch.CHECKPOINT_SECONDS = 0.0
    sys.exit(main(sys.argv[1:]))
