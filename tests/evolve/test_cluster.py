"""A Ray cluster: real nodes on this machine, some of which do not live to see the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve.analytic import Formula, options, search, told_of
from evolve.test_workers import Unopened, jobs
from sdmerge.errors import InputError, ResourceError
from sdmerge.evolve.run import Budget
from sdmerge.evolve.workers.cluster import Cluster

ray = pytest.importorskip("ray")


def test_no_cluster_is_an_error_in_words() -> None:
    # stands before the cluster of the other tests is started
    with pytest.raises(InputError, match="there is no cluster"):
        Cluster(Formula(), "auto", 1)


@pytest.fixture(scope="module")
def nodes() -> Iterator[object]:
    """A head with two processors; more nodes can be added."""
    from ray.cluster_utils import Cluster as Nodes

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
        made = Nodes(
            initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
        )
        yield made
        ray.shutdown()
        made.shutdown()


def test_actors_find_what_one_process_finds_even_if_one_dies(nodes: object, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    mortal = Formula(mischief="die", once=tmp_path, closed=closed)
    cluster = Cluster(mortal, nodes.address, 2)  # type: ignore[attr-defined]
    found = list(cluster.run(jobs(6, bad=1)))
    assert (tmp_path / "done").exists()
    assert sorted(one.number for one in found) == list(range(6))
    assert all(one.error is None for one in found)
    search(tmp_path / "here", options(), Budget(trials=12))
    search(tmp_path / "there", options(), Budget(trials=12), cluster)
    assert told_of(tmp_path / "there") == told_of(tmp_path / "here")
    assert not closed.exists()
    cluster.close()
    assert closed.exists()


@pytest.mark.long
def test_a_job_that_kills_two_actors_is_an_error(nodes: object) -> None:
    doomed = Cluster(Formula(mischief="die"), nodes.address, 2)  # type: ignore[attr-defined]
    errors = {one.number: one.error for one in doomed.run(jobs(4, bad=1)) if one.error}
    assert list(errors) == [1]
    assert isinstance(errors[1], ResourceError)
    doomed.close()


@pytest.mark.long
def test_a_node_that_is_killed_takes_nothing_along(nodes: object, tmp_path: Path) -> None:
    second = nodes.add_node(num_cpus=2)  # type: ignore[attr-defined]
    nodes.wait_for_nodes()  # type: ignore[attr-defined]
    cluster = Cluster(Formula(wait=0.2), nodes.address, 4)  # type: ignore[attr-defined]
    found = []
    for outcome in cluster.run(jobs(40)):
        found.append(outcome)
        if len(found) == 8:
            nodes.remove_node(second, allow_graceful=False)  # type: ignore[attr-defined]
    assert sorted(one.number for one in found) == list(range(40))
    assert all(one.error is None for one in found)
    cluster.close()


def test_what_actors_cannot_open_is_said_at_once(nodes: object) -> None:
    cluster = Cluster(Unopened(), nodes.address, 1)  # type: ignore[arg-type, attr-defined]
    with pytest.raises(ValueError, match="no scorer here"):
        list(cluster.run(jobs(2)))
    cluster.close()
