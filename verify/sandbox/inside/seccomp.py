"""Filters on the system calls of a job, below its namespaces: what no solution needs and what kernels are attacked
through is refused. The zygote takes up all that it does not need itself, and every job inherits it for nothing; what
the zygote needs for a job is refused by a second, short filter that the job takes up.
"""

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data (linux/seccomp.h)
_X32_BIT = 0x40000000
_CLONE_NEW = 0x7E020080  # every CLONE_NEW… flag (linux/sched.h)
_AF_UNIX = 1
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# Numbers on x86-64 and on arm64 (asm/unistd_64.h, asm-generic/unistd.h); None where there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes' memory and descriptors
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "fanotify_init": (300, 262), "swapon": (167, 224), "swapoff": (168, 225),
    # doors into the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "reboot": (169, 142), "syslog": (103, 116), "acct": (163, 89), "personality": (135, 92), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "vmsplice": (278, 75), "lookup_dcookie": (212, 18),
    # what outlives a process or counts for nobody
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the machine's clocks and names
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162),
}  # fmt: skip
_NEEDED_FOR_A_JOB = ("unshare", "memfd_create")  # by the zygote
# machine: AUDIT_ARCH, column above, and the numbers of clone, clone3, socket, ioctl. Processors that came after arm64
# have its numbers (asm-generic/unistd.h).
_MACHINES = {
    "x86_64": (0xC000003E, 0, 56, 435, 41, 16),
    "aarch64": (0xC00000B7, 1, 220, 435, 198, 29),
    "riscv64": (0xC00000F3, 1, 220, 435, 198, 29),
    "loongarch64": (0xC0000102, 1, 220, 435, 198, 29),
}
PROCESSORS = tuple(_MACHINES)


def unknown_processor() -> str | None:
    """Why there is no filter for this machine; None where there is one."""
    machine = os.uname().machine
    return None if machine in _MACHINES else f"no filter of system calls is known for the processor {machine}"


def make_filters() -> tuple[bytes, bytes]:
    """The filters of the zygote and of its jobs. Raises KeyError for a processor whose numbers are not known."""
    architecture, column, clone, clone3, socket, ioctl = _MACHINES[os.uname().machine]
    refuse = _return(_ERRNO | errno.EPERM)

    def refused(names: list[str]) -> list[bytes]:
        numbers = [number for name in names if (number := _REFUSED[name][column]) is not None]
        return [part for number in numbers for part in (_jump(_JUMP_EQUAL, number, 0, 1), refuse)]

    inherited = [
        _load(_ARCHITECTURE),
        _jump(_JUMP_EQUAL, architecture, 1, 0),
        _return(_KILL_PROCESS),
        _load(_NUMBER),
        _jump(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
        refuse,
        # the flags of clone3 cannot be looked at: the C library falls back on clone
        *(_jump(_JUMP_EQUAL, clone3, 0, 1), _return(_ERRNO | errno.ENOSYS)),
        *_when(clone, 0, [_jump(_JUMP_ANY_BIT, _CLONE_NEW, 0, 1), refuse]),
        *_when(socket, 0, [_jump(_JUMP_EQUAL, _AF_UNIX, 1, 0), refuse]),
        *_when(ioctl, 1, [_jump(_JUMP_EQUAL, _TIOCSTI, 1, 0), _jump(_JUMP_EQUAL, _TIOCLINUX, 0, 1), refuse]),
        *refused([name for name in _REFUSED if name not in _NEEDED_FOR_A_JOB]),
        _return(_ALLOW),
    ]
    own = [_load(_NUMBER), *refused(list(_NEEDED_FOR_A_JOB)), _return(_ALLOW)]
    return b"".join(inherited), b"".join(own)


def _when(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """For this call: its argument is loaded, looked at, and the call allowed unless `then` refuses it."""
    body = [_load(_ARGUMENTS + 8 * argument), *then, _return(_ALLOW)]
    return [_jump(_JUMP_EQUAL, number, 0, len(body)), *body]


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", _LOAD, 0, 0, offset)


def _jump(kind: int, value: int, when: int, otherwise: int) -> bytes:
    return struct.pack("=HBBI", kind, when, otherwise, value)


def _return(value: int) -> bytes:
    return struct.pack("=HBBI", _RETURN, 0, 0, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """A filter ready to be taken up."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._program = _Program(len(program) // 8, ctypes.addressof(self._buffer))
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def take_up(self) -> None:
        """For this process and all that it starts, for good. Raises OSError."""
        if self._prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(self._program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")
