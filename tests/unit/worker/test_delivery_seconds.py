"""The age of entries, told by ids that are a clock and by no others."""

import time

from headrace.worker.metrics import Metrics


def test_ids_that_count_have_no_age() -> None:
    metrics = Metrics()
    metrics.delivered(b"1-0", b"1000-0", 1000)
    assert (sum(metrics.delivery.counts), metrics.delivery.total) == (0, 0.0)


def test_entries_delivered_together_have_the_mean_age_of_first_and_last() -> None:
    metrics, now = Metrics(), time.time()
    metrics.delivered(b"%d-0" % ((now - 20) * 1000), b"%d-7" % ((now - 10) * 1000), 4)
    assert sum(metrics.delivery.counts) == 4
    assert 59 < metrics.delivery.total < 65
