# ruff: noqa: E501
"""Solutions of `add(a, b)` that do not add: each tries to be passed all the same. None knows a right answer."""

READS_MEMORY = '''
import hashlib
def memory_holds_the_secret():
    """Whether a text that starts in this way and has this hash, of which this program knows no more, is in memory."""
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" not in rights: continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                content = memory.read(min(end - start, 2**26))
            except (OSError, ValueError, OverflowError): continue
            at = content.find(b"dire_")
            while at >= 0:
                if hashlib.sha1(content[at : at + 11]).hexdigest() == "ee630a902d3027b9250589f92fe31b9346f8125b": return True
                at = content.find(b"dire_", at + 1)
    return False
'''

SOLUTIONS = {
    "an object that equals everything": """
class Any:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __sub__(self, other): return 0.0
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0.0
    def __hash__(self): return 0
    def __bool__(self): return True
def add(a, b): return Any()
""",
    "a number that equals everything": """
class Every(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    __rsub__ = __sub__
    __hash__ = int.__hash__
def add(a, b): return Every(99999)
""",
    "a class in place of the function": """
class Meta(type):
    def __call__(cls, *arguments): return object.__new__(cls)
    def __eq__(cls, other): return True
    __hash__ = type.__hash__
class add(metaclass=Meta):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __hash__ = object.__hash__
""",
    "a class that makes itself a list that contains everything": """
class add(list):
    def __init__(self, *arguments): pass
    def __eq__(self, other): return True
    def __contains__(self, item): return True
""",
    "the mock library's ANY": "from unittest.mock import ANY\ndef add(a, b): return ANY",
    "leaving while it is loaded": "import os\nos._exit(0)",
    "leaving when it is called": "import os\ndef add(a, b): os._exit(0)",
    "SystemExit": "import sys\ndef add(a, b): sys.exit(0)",
    "KeyboardInterrupt": "def add(a, b): raise KeyboardInterrupt",
    "a generator's end": "def add(a, b): raise GeneratorExit",
    "an error whose text never ends": """
class Endless(BaseException):
    def __str__(self):
        while True: pass
def add(a, b): raise Endless
""",
    "builtins replaced": """
import builtins
for name in ("abs", "all", "any", "isinstance", "len", "bool", "exec", "compile", "AssertionError", "print", "round"):
    setattr(builtins, name, lambda *arguments, **keywords: True)
def abs(value): return 0.0
def isclose(*arguments, **keywords): return True
def len(value): return 2
def sorted(value): return []
def add(a, b): return 1
""",
    "json, os and sys replaced": """
import json, os, sys
json.dumps = lambda *arguments, **keywords: '{"case": 0, "value": true}'
os.write = lambda *arguments: 0
sys.exit = sys.modules.clear
def add(a, b): return 1
""",
    "a trace function": """
import sys, threading
def trace(frame, event, argument):
    for name in ("result", "value", "ended"):
        frame.f_locals[name] = True
    return trace
sys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)
sys.addaudithook(lambda *arguments: None)
def add(a, b): return 1
""",
    "frames, garbage and modules searched for tokens": """
import gc, json, os, sys
def add(a, b):
    found = set()
    frame = sys._getframe()
    while frame:
        found |= {value for value in frame.f_locals.values() if isinstance(value, str)}
        for values in frame.f_locals.values():
            if isinstance(values, (list, tuple)): found |= {v for v in values if isinstance(v, str)}
        frame = frame.f_back
    for one in gc.get_objects():
        if isinstance(one, dict): found |= {v for v in list(one.values()) if isinstance(v, str) and len(v) == 16}
    lines = b"".join(json.dumps({"case": n, "token": t}).encode() + b"\\n" for t in found for n in (0, 1))
    for fd in range(3, 64):
        try: os.write(fd, lines)
        except OSError: pass
    return 1
""",
    "events forged on every descriptor": """
import os
lines = b''.join(b'{"case": %d, "token": "", "value": true}\\n{"case": %d, "value": 42}\\n[]\\n{"case": null}\\n' % (n, n)
    for n in (0, -1, 2**70))
for fd in range(0, 64):
    try: os.write(fd, lines)
    except OSError: pass
os._exit(0)
""",
    "its own protocol": """
import json, os, socket, struct
def send(fd, message):
    body = json.dumps(message).encode()
    os.write(fd, struct.pack("<I", len(body)) + body)
def forge(fd):
    about = {"is_class": True, "names_a_class": True, "own": True, "name": "add", "class": "add", "raises": "SystemExit"}
    for result in ({"mine": [0, about]}, {"yours": 0}, {"type": "object"}, {"module": "os"}, {"named": [[1], [2]]}):
        send(fd, ["done", "returned", {"tuple": [None, {"dict": [["add", result], ["abs", result], ["__builtins__", 1]]}]},
            [[0, []], [99, 1]], ""])
def add(a, b):
    for fd in range(3, 8):
        try:
            forge(fd)
            for number in range(20):
                for name in ("__globals__", "gi_frame", "__class__", "tokens"):
                    send(fd, ["apply", "getattr", [{"yours": number}, name], {}])
        except OSError: pass
    return 1
for fd in range(3, 8):
    try: forge(fd)
    except OSError: pass
""",
    "nonsense as its protocol": """
import os
def add(a, b):
    for fd in range(3, 8):
        try: os.write(fd, os.urandom(4096))
        except OSError: pass
    return 1
""",
    "a thread and exit handlers that write later": """
import atexit, os, threading, time
def write():
    time.sleep(0.01)
    for fd in range(3, 64):
        try: os.write(fd, b'{"case": 0, "value": 42}\\n{"case": 1, "value": 0}\\n')
        except OSError: pass
atexit.register(write)
threading.Thread(target=write, daemon=True).start()
class Late:
    def __del__(self): write()
late = Late()
def add(a, b): return Late()
""",
    "a child that answers in its parent's place": """
import os, time
if os.fork() == 0:
    time.sleep(0.05)
    def add(a, b): return 0
else:
    os._exit(0)
""",
    "every process killed": """
import os, signal
def add(a, b):
    for pid in [1, *range(2, 400)]:
        if pid != os.getpid():
            try: os.kill(pid, signal.SIGKILL)
            except OSError: pass
    try: os.kill(-1, signal.SIGKILL)
    except OSError: pass
""",
    "every process stopped": """
import os, signal
def add(a, b):
    for pid in range(1, 400):
        if pid != os.getpid():
            try: os.kill(pid, signal.SIGSTOP)
            except OSError: pass
    return 1
""",
    "tests read from memory": READS_MEMORY
    + """
import os
def add(a, b):
    if memory_holds_the_secret(): os.write(2, b"ESCAPED: read the tests")
    return 1
""",
    "tests read from the memory that a crashed job has left": READS_MEMORY
    + """
import os
def add(a, b):
    if a == 17: os._exit(1)
    if memory_holds_the_secret(): os.write(2, b"ESCAPED: read the tests")
    return 1
""",
    "tests read from other processes": """
import os
def add(a, b):
    me = os.path.realpath("/proc/self")
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or me.endswith("/" + pid): continue
        for name in ("mem", "maps", "environ", "fd/3", "fd/4", "fd/5", "fd/6", "cwd", "root"):
            path = f"/proc/{pid}/{name}"
            try: content = os.listdir(path) if name in ("cwd", "root") else os.read(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 1)
            except OSError: continue
            if content: os.write(2, f"ESCAPED: read {path}\\n".encode())
    return 1
""",
    "files with the answers": """
import glob
def add(a, b):
    for path in glob.glob("/**/*.json*", recursive=True)[:200] + glob.glob("/tmp/**", recursive=True)[:200]:
        try:
            if "dire_secret" in open(path).read(): return 42
        except (OSError, UnicodeDecodeError): pass
    return 1
""",
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef add(a, b): return add(a, b)",
    "a deep value": "def add(a, b):\n    x = []\n    for _ in range(100000): x = [x]\n    return x",
    "a value that holds itself": "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
    "an endless generator": "def add(a, b):\n    while True: yield a",
    "NaN, infinity and text": "n = [float('nan'), float('inf'), '42', [42]]\ndef add(a, b): return n.pop() if n else None",
    "a crash of the interpreter": "import ctypes\ndef add(a, b): return ctypes.string_at(1)",
    "its arguments changed": """
import gc
def add(a, b):
    for one in gc.get_objects():
        if isinstance(one, list) and len(one) < 5:
            try: one.clear()
            except Exception: pass
    return 1
""",
}
