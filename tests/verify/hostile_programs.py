# ruff: noqa: E501
"""Programs that try to get out of a sandbox, to take more than their share, or to stay. One that gets somewhere writes
ESCAPED; whatever else becomes of it is its own affair.
"""

_TOOLS = """
import ctypes, os, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def escaped(what): print("ESCAPED:", what, flush=True)
def works(what, function, *arguments):
    try: result = function(*arguments)
    except (OSError, ValueError, AttributeError): return
    if not isinstance(result, int) or result >= 0: escaped(what)
def read(path):
    if os.path.isdir(path): return [name for name in os.listdir(path) if not sys.prefix.startswith(os.path.join(path, name))] or -1
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return os.read(fd, 1) or -1
def write(path, content=b"1", flags=0): return os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK | flags), content)
"""

PYTHON = {
    "the network": _TOOLS
    + """
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 38, 40, 21, 31):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW): works(f"socket {family}", socket.socket, family, kind)
try: socket.getaddrinfo("example.com", 80); escaped("looked a name up")
except OSError: pass
abstract = socket.socket(socket.AF_UNIX)
for name in open("/proc/net/unix").read().split()[8:]:
    if name.startswith("@"): works(name, abstract.connect, "\\0" + name[1:])
""",
    "namespaces": _TOOLS
    + """
for flag in (0x10000000, 0x20000000, 0x00020000, 0x40000000, 0x08000000, 0x02000000, 0x04000000, 0x10020000, 0x80):
    works(f"unshare {flag:x}", libc.unshare, flag)
    works(f"clone {flag:x}", lambda: libc.syscall(56, ctypes.c_ulong(flag | 17), 0, 0, 0, 0) or os._exit(0))
for number in (435, 425, 298, 321, 323, 319, 447, 101, 310, 311, 312, 438, 165, 166, 155, 161, 428, 429, 430, 431, 304, 272):
    works(f"call {number}", lambda: libc.syscall(number, 0, 0, 0, 0, 0, 0))
works("chroot", os.chroot, "."); works("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
for name in ("mnt", "user", "pid", "net", "ipc"):
    try: works(f"setns {name}", libc.setns, os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0)
    except OSError: pass
""",
    "more rights": _TOOLS
    + """
import resource
for what, call in (("setuid", lambda: os.setuid(0)), ("setgid", lambda: os.setgid(0)), ("groups", lambda: os.setgroups([0]))):
    works(what, call)
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    works(f"limit {kind}", resource.setrlimit, kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    works(f"limit {kind} of 1", resource.prlimit, 1, kind, (0, 0)) if os.getpid() != 1 else None
status = open("/proc/self/status").read()
if any(int(status.split(f"Cap{name}:")[1].split()[0], 16) for name in ("Eff", "Prm", "Inh", "Amb")): escaped("capabilities")
if "NoNewPrivs:\\t1" not in status or "Seccomp:\\t2" not in status: escaped("no filter")
works("priority", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))
works("nice", os.nice, -5)
works("unkillable", write, "/proc/self/oom_score_adj", b"-1000")
""",
    "host files": _TOOLS
    + """
for path in ("/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/run", "/sys", "/boot", "/opt", "/srv", "/mnt", "/etc/hosts",
        "/proc/1/root/etc", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/proc/kcore", "/dev/kvm", "/dev/fuse"):
    works(path, read, path)
for folder in ("/", "/usr", "/usr/bin", "/usr/lib", "/bin", "/etc", "/dev", "/dev/shm", "/dev/pts", "/proc", "/proc/1", "/reasonmill-inside",
        "/proc/sys/kernel", "/var/tmp", "/run"):
    works("wrote " + folder, write, folder + "/probe", b"1", os.O_CREAT)
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/mem", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/modprobe", "/proc/irq/default_smp_affinity"):
    works("opened " + path, os.open, path, os.O_WRONLY)
for path in __import__("glob").glob("/reasonmill-inside/**/*.py", recursive=True) + [os.__file__, sys.executable]:
    works("wrote " + path, os.open, path, os.O_WRONLY)
    works("linked " + path, os.link, path, "link")
    works("mode " + path, os.chmod, path, 0o777)
""",
    "System V and keys": _TOOLS
    + """
for number in (29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 240, 248, 249, 250): works(f"call {number}", lambda: libc.syscall(number, 1, 4096, 0o1666, 0, 0))
works("shared memory", libc.shm_open, b"/left", os.O_CREAT | os.O_RDWR, 0o666)
""",
    "the slot": _TOOLS
    + """
for pid in [1] + [int(p) for p in os.listdir("/proc") if p.isdigit()]:
    if os.path.realpath("/proc/self") == f"/proc/{pid}" or pid == os.getpid(): continue
    for path in ("mem", "fd/0", "fd/3", "fd/4", "environ", "ns/mnt", "syscall", "stack", "auxv", "personality", "task/1/mem"):
        works(f"{pid}/{path}", read, f"/proc/{pid}/{path}")
    for number in range(1, 65):
        try: os.kill(pid, number)
        except OSError: pass
""",
    "a terminal": _TOOLS
    + """
import fcntl, pty
for fd in (0, 1, 2): works("TIOCSTI", fcntl.ioctl, fd, 0x5412, b"x"); works("TIOCLINUX", fcntl.ioctl, fd, 0x541C, b"x")
works("/dev/tty", os.open, "/dev/tty", os.O_RDWR); works("/dev/console", os.open, "/dev/console", os.O_RDWR)
""",
    "what others left": _TOOLS
    + """
left = [os.path.join(folder, name) for top in ("/tmp", "/dev/shm", "/var/tmp") for folder, _, names in os.walk(top) for name in names]
if [path for path in left if path != "/tmp/program"]: escaped(f"found {left}")
others = [p for p in os.listdir("/proc") if p.isdigit()]
if len(others) > 3: escaped(f"found {others}")
""",
    "leaving files": """
import os
os.makedirs("a/b/c", exist_ok=True); os.symlink("/", "a/root"); os.symlink("/usr", "up"); os.mkfifo("fifo")
for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "/tmp/job/a"):
    for name in ("left", "\\udcff", "a" * 255, ".hidden"):
        try: open(os.path.join(folder, name), "w").write("x")
        except OSError: pass
os.chmod("a/b/c", 0); os.chmod("a/b", 0); os.chmod("a", 0); os.chmod(".", 0)
""",
    "a fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "a bomb of threads": "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(9,)).start()\n    except Exception: pass",
    "memory": "x = bytearray(2**40)",
    "memory page by page": "x = []\nwhile True: x.append(bytearray(2**20))",
    "memory of several children": """
import os, time
for _ in range(6):
    if os.fork() == 0:
        x = bytearray(150 * 2**20)
        for n in range(0, len(x), 4096): x[n] = 1
        time.sleep(1)
        os._exit(0)
while os.wait(): pass
""",
    "shared memory of several children": """
import mmap, os, time
for _ in range(8):
    if os.fork() == 0:
        x = mmap.mmap(-1, 120 * 2**20)
        for n in range(0, len(x), 4096): x[n] = 1
        time.sleep(1)
        os._exit(0)
while os.wait(): pass
""",
    "a full disk": "n = 0\nwhile True:\n    try: open(f'f{n}', 'wb').write(bytes(2**20 - 1))\n    except OSError: pass\n    n += 1",
    "a disk of empty files": "n = 0\nwhile True:\n    open(f'f{n}', 'w').close()\n    n += 1",
    "a sparse file": "import os\nos.truncate(os.open('f', os.O_CREAT | os.O_RDWR), 2**50)",
    "a flood of output": "while True: print('x' * 100000)",
    "a flood of errors": "import sys\nwhile True: sys.stderr.write('x' * 100000)",
    "output on every descriptor": "import os\nwhile True:\n    for fd in range(64):\n        try: os.write(fd, b'x' * 65536)\n        except OSError: pass",
    "a daemon": """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(64):
                try: os.close(fd)
                except OSError: pass
            while True: time.sleep(1)
        os._exit(0)
""",
    "work left to children": """
import os
if os.fork() == 0:
    os.setsid()
    while True: pass
if os.fork() == 0:
    while True: pass
os.wait()
""",
    "no signal heard": """
import os, signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
""",
    "stopping itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nimport time\ntime.sleep(60)",
    "sleep": "import time\ntime.sleep(60)",
    "standard input written": """
import os
os.close(1)
for fd in range(64):
    for call in (lambda: os.write(fd, b"42\\n" * 100), lambda: os.ftruncate(fd, 0), lambda: os.lseek(fd, 0, 0)):
        try: call()
        except OSError: pass
""",
    "exit without output": "import os\nos._exit(0)",
    "recursion in C": "import sys\nsys.setrecursionlimit(10**9)\nx = ()\nfor _ in range(10**6): x = (x,)\nrepr(x); hash(x); del x",
    "a hostile code object": "def f(): pass\nf.__code__ = f.__code__.replace(co_code=bytes(range(256)) * 4, co_stacksize=0)\nf()",
}

_CPP = """
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <unistd.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
static void works(const char* what, long result) { if (result >= 0) printf("ESCAPED: %s\\n", what); }
"""

CPP = {
    "calls": _CPP
    + """
int main() {
  works("socket", socket(AF_INET, SOCK_STREAM, 0)); works("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  works("unshare", unshare(CLONE_NEWUSER)); works("unshare", unshare(CLONE_NEWNS)); works("mount", mount("none", "/tmp", "tmpfs", 0, 0));
  works("ptrace", ptrace(PTRACE_ATTACH, 1, 0, 0)); works("mem", open("/proc/1/mem", O_RDONLY)); works("passwd", open("/etc/passwd", O_RDONLY));
  works("write", open("/usr/x", O_CREAT | O_WRONLY, 0666)); works("setuid", setuid(0)); works("keys", syscall(SYS_add_key, "user", "k", "v", 1, -3));
  works("io_uring", syscall(SYS_io_uring_setup, 8, 0)); works("bpf", syscall(SYS_bpf, 0, 0, 0)); works("shmget", syscall(SYS_shmget, 1, 4096, 01666));
  works("memfd", syscall(SYS_memfd_create, "m", 0)); works("x32", syscall(0x40000000 | 41, AF_INET, SOCK_STREAM, 0));
  works("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); works("clone3", syscall(SYS_clone3, 0, 0));
}
""",
    "calls of 32 bits": _CPP
    + """
int main() {
  long result = -1;
#if defined(__x86_64__)
  asm volatile("int $0x80" : "=a"(result) : "a"(359), "b"(2), "c"(1), "d"(0) : "memory");
#endif
  works("socket", (int)result);
}
""",
    "a fork bomb": _CPP + "int main() { while (true) fork(); }",
    "memory": _CPP
    + "int main() { std::vector<char*> all; while (true) { char* p = new char[1 << 20]; memset(p, 1, 1 << 20); all.push_back(p); } }",
    "memory of several children": _CPP
    + """
int main() {
  for (int n = 0; n < 6; ++n) if (fork() == 0) { volatile char* p = new char[150 << 20]; for (int n = 0; n < 150 << 20; n += 4096) p[n] = 1; sleep(1); return 0; }
  while (wait(0) > 0);
}
""",
    "every process killed": _CPP
    + "int main() { for (int pid = 1; pid < 400; ++pid) if (pid != getpid()) kill(pid, SIGKILL); signal(SIGTERM, SIG_IGN); while (true); }",
    "a flood": _CPP
    + 'int main() { while (true) puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); }',
    "a daemon": _CPP
    + "int main() { if (!fork()) { setsid(); if (!fork()) { for (int fd = 0; fd < 64; ++fd) close(fd); while (true) pause(); } } }",
    "exit without output": "int main() { return 0; }",
    "the compiler reads": '#include "/etc/passwd"\n#include "/proc/1/environ"\nint main() {}',
    "the compiler never ends": "template <int N> struct A { A<N + 1> a; A<N + 2> b; };\n#define X(a) a a a a a a a a a a\n"
    "#define Y(a) X(X(X(X(X(X(X(a)))))))\nint main() { Y(Y(Y(volatile int x; {)))) }",
    "the compiler fills the disk": "char x[1L << 33] = {1};\nint main() {}",
}
