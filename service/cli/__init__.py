"""The command line: `latcast …`."""

import os

# Read when NumPy is imported, so before anything else. The matrices of a forecast are small: a second thread wins
# nothing, and where the machine is busy the two wait for each other a hundred times as long as the product takes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
