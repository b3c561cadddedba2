"""The short version of `make test-hostile`: a few seeds side by side under one operator."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.actions import WEIGHTS
from tests.hostile.kubelet import NAME, NODE
from tests.hostile.play import Player, Result
from tests.hostile.stage import stage
from tests.hostile.story import write
from tests.support.control_plane import ControlPlane
from tests.support.kube import Kube

SEEDS = (6, 7, 17)


def test_the_spec_is_reached_and_neighbours_hear_nothing_of_it(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    with stage(control_plane.kubeconfig, tmp_path) as on, ThreadPoolExecutor(len(SEEDS)) as pool:

        def play(seed: int) -> Result:
            return Player(on, write(seed, WEIGHTS)).play()

        failed = [one for one in pool.map(play, SEEDS) if one.violations or one.harness]
    assert not failed, "\n".join(f"{one}\n{one.story.command}" for one in failed)
    node = Kube(control_plane.kubeconfig).get(NODE, None, NAME)
    assert node is None, "pods of other tests would be scheduled there, and never end"
