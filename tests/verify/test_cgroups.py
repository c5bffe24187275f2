"""Control groups of both versions, on folders made to look like them, and on this machine's own where it has some."""

import os

import pytest

from reasonmill.verify.sandbox.cgroups import Hierarchies, make_cgroup, make_in

V1 = "cgroup /g/memory cgroup rw,memory 0 0\ncgroup /g/pids cgroup rw,nosuid,pids 0 0\n"
V2 = "cgroup2 /g cgroup2 rw,nsdelegate 0 0\n"


def _version_2(tmp_path, *, controllers, subtree="", procs=()):
    folder = tmp_path / "g" / "run.scope"
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text(controllers)
    (folder / "cgroup.subtree_control").write_text(subtree)
    (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in procs))
    return folder, Hierarchies(mounts=V2, groups="0::/run.scope\n", root=tmp_path)


def test_version_1_has_a_group_for_each_controller(tmp_path):
    for name in ("memory/box", "pids"):
        (tmp_path / "g" / name).mkdir(parents=True)
    places = Hierarchies(mounts=V1, groups="4:memory:/box\n8:pids:/elsewhere\n", root=tmp_path).places(100, 7)
    assert [place.parent for place in places] == [tmp_path / "g/memory/box", tmp_path / "g/pids"]
    group = make_in(places, "slot0", 100)
    made = tmp_path / f"g/memory/box/reasonmill-{os.getpid()}-slot0"
    assert (made / "memory.limit_in_bytes").read_text() == "100"
    group.limit_memory(200)
    assert (made / "memory.limit_in_bytes").read_text() == "200"
    (made / "memory.oom_control").write_text("under_oom 0\noom_kill 3\n")
    assert group.new_memory_kills() == 3


def test_a_delegated_group_of_version_2_hands_its_controllers_down(tmp_path):
    folder, hierarchies = _version_2(tmp_path, controllers="cpu memory pids\n", procs=[os.getpid()])
    (place,) = hierarchies.places(100, 7)
    assert place.parent == folder
    assert place.limits == {"memory.max": 100, "pids.max": 7}
    assert (folder / "reasonmill-own" / "cgroup.procs").read_text() == str(os.getpid())
    assert (folder / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_processes_of_others_in_a_group_of_version_2_stay_where_they_are(tmp_path):
    folder, hierarchies = _version_2(tmp_path, controllers="memory pids", procs=[1, os.getpid()])
    hierarchies.places(100, 7)
    assert not (folder / "reasonmill-own").exists()


@pytest.mark.parametrize("controllers", ["", "cpu memory", "pids"])
def test_without_both_controllers_there_is_no_group(tmp_path, controllers):
    _, hierarchies = _version_2(tmp_path, controllers=controllers)
    assert hierarchies.places(100, 7) == []
    assert make_in([], "slot0", 100) is None


def test_a_real_group_can_be_limited_and_removed_where_there_is_one():
    group = make_cgroup("test", memory_bytes=2**28, max_processes=16)
    if group is None:
        assert Hierarchies.of_this_process().places(2**28, 16) == [] or os.geteuid() != 0
        return
    group.limit_memory(2**27)
    assert group.new_memory_kills() == 0
    group.remove()
    assert make_cgroup("test", memory_bytes=2**28, max_processes=16) is not None
    group.remove()
