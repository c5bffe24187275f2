"""The filters of system calls, worked out for every processor that is known, and what becomes of one that is not."""

import asyncio
import errno
import os
import struct

import pytest

from reasonmill.engine.doctor import sandbox
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.inside import seccomp
from reasonmill.verify.settings import VerifySettings

ALLOWED, REFUSED, NOT_THERE, KILLED = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3, "loongarch64": 0xC0000102}


def _machine(monkeypatch, name):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "1", name)))


def _verdict(program, number, architecture, *arguments):
    """What a filter says of a system call: the few instructions of classic BPF that it is made of, one by one."""
    call = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    instructions = list(struct.iter_unpack("=HBBI", program))
    place = loaded = 0
    while True:
        code, when, otherwise, value = instructions[place]
        place += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", call, value)
            case 0x06:
                return value
            case 0x15 | 0x35 | 0x45:
                taken = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
                place += when if taken else otherwise
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.mark.parametrize("machine", seccomp.PROCESSORS)
def test_between_them_the_filters_refuse_what_they_name_and_allow_the_rest(monkeypatch, machine):
    _machine(monkeypatch, machine)
    assert seccomp.unknown_processor() is None
    inherited, own = seccomp.make_filters()
    known, column, clone, clone3, socket, ioctl = seccomp._MACHINES[machine]
    assert known == ARCHITECTURES[machine]

    def strictest(number, *arguments):
        return min(_verdict(program, number, known, *arguments) for program in (inherited, own))

    for name, numbers in seccomp._REFUSED.items():
        if numbers[column] is not None:
            assert strictest(numbers[column]) == REFUSED, name
    named = {numbers[column] for numbers in seccomp._REFUSED.values()} | {clone3, socket}
    assert {strictest(number) for number in range(470) if number not in named} == {ALLOWED}
    assert strictest(clone, 0x11) == ALLOWED
    assert all(strictest(clone, 0x11 | flag) == REFUSED for flag in (0x10000000, 0x20000000, 0x20000, 0x40000000, 0x80))
    assert strictest(clone3) == NOT_THERE
    assert [strictest(socket, family) for family in (1, 2, 10, 16, 17, 40)] == [ALLOWED, *[REFUSED] * 5]
    assert [strictest(ioctl, 0, request) for request in (0x5401, 0x5412, 0x541C)] == [ALLOWED, REFUSED, REFUSED]
    assert strictest(0x40000000 | 59) == REFUSED
    assert _verdict(inherited, 1, 0x40000003) == KILLED


def test_the_zygote_keeps_what_it_makes_a_job_with():
    inherited, own = seccomp.make_filters()
    known, column = seccomp._MACHINES[os.uname().machine][:2]
    for name in ("unshare", "memfd_create"):
        number = seccomp._REFUSED[name][column]
        assert [_verdict(program, number, known) for program in (inherited, own)] == [ALLOWED, REFUSED]


def test_on_a_processor_without_a_filter_no_code_is_run_and_the_doctor_says_why(monkeypatch):
    _machine(monkeypatch, "s390x")
    case = {"call_type": "assert", "assert_case": ["assert f() == 1"]}
    response = "```python\ndef f(): return 1\n```"

    async def work():
        async with VerifierPool(VerifySettings()) as pool:
            request = VerifyRequest(id="q", category="code", prompt="", response=response, test_case=case)
            return await pool.verify(request), await pool.probe_sandbox()

    verdict, reason = asyncio.run(work())
    assert (verdict.outcome, verdict.score, verdict.reason) == ("not_run", None, "no_sandbox")
    assert reason == verdict.detail == "no filter of system calls is known for the processor s390x"
    finding = sandbox.bubblewrap()
    assert (finding.state, finding.found) == ("missing", reason)
    assert "x86_64" in finding.install
