"""The image of workers that name none: the one that was released with this operator."""

import headrace

DEFAULT_WORKER_IMAGE = f"ghcr.io/headrace/worker:{headrace.__version__}"
