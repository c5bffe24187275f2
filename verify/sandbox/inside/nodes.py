"""Linked lists and binary trees as LeetCode writes them: lists of values, and trees by level with null for what is
missing. Which arguments and results are meant is read from the annotations of the method.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

_MOST_NODES = 1_000_000


class ListNode:
    """A node of a linked list."""

    def __init__(self, val: Any = 0, next: Any = None) -> None:
        self.val = val
        self.next = next


class TreeNode:
    """A node of a binary tree."""

    def __init__(self, val: Any = 0, left: Any = None, right: Any = None) -> None:
        self.val = val
        self.left = left
        self.right = right


def linked(function: Callable[..., Any], arguments: list[Any], kind: Callable[[str], Any]) -> list[Any]:
    """The arguments, lists made into nodes where the parameter is annotated with a class of nodes."""
    annotations = getattr(function, "__annotations__", {})
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return arguments
    names = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]
    wanted = [str(annotations.get(name, "")) for name in names]
    made = list(arguments)
    for number, (argument, annotation) in enumerate(zip(arguments, wanted, strict=False)):
        for name, make in (("ListNode", _chain), ("TreeNode", _tree)):
            if name not in annotation or not isinstance(argument, list):
                continue
            several = "ist[" in annotation.partition(name)[0] and all(isinstance(one, list) for one in argument)
            made[number] = [make(one, kind(name)) for one in argument] if several else make(argument, kind(name))
    return made


def unlinked(function: Callable[..., Any], value: Any) -> Any:
    """The result in lists; no node at all is an empty list where the annotation names a class of nodes."""
    if value is None:
        returned = str(getattr(function, "__annotations__", {}).get("return", ""))
        return [] if "ListNode" in returned or "TreeNode" in returned else None
    if isinstance(value, list):
        return [unlinked(function, one) if _is_node(one) else one for one in value]
    if not _is_node(value):
        return value
    return _levels(value) if hasattr(value, "left") else _values(value)


def _is_node(value: Any) -> bool:
    return type(value).__name__ in ("ListNode", "TreeNode")


def _chain(values: list[Any], kind: Any) -> Any:
    head = None
    for value in reversed(values):
        node = kind(value)
        node.next = head
        head = node
    return head


def _tree(values: list[Any], kind: Any) -> Any:
    if not values or values[0] is None:
        return None
    root = kind(values[0])
    parents, rest = deque([root]), iter(values[1:])
    while parents:
        parent = parents.popleft()
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = kind(value)
                setattr(parent, side, child)
                parents.append(child)
    return root


def _values(node: Any) -> list[Any]:
    values: list[Any] = []
    while node is not None:
        values.append(node.val)
        node = node.next
        if len(values) > _MOST_NODES:
            raise ValueError("the linked list does not end")
    return values


def _levels(root: Any) -> list[Any]:
    values: list[Any] = []
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        values.append(None if node is None else node.val)
        if node is not None:
            waiting.extend((node.left, node.right))
        if len(values) > _MOST_NODES:
            raise ValueError("the tree does not end")
    while values and values[-1] is None:
        values.pop()
    return values
