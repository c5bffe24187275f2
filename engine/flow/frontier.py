"""Which samples may be handed on next, in an order that depends on what was answered and not on when.

A query that is decided at its k-th attempt belongs to slot `block + (k - 1) * LAG_BLOCKS`; one that needs more than
`defer_after` attempts belongs to a second sequence of slots behind the first, since it is asked again only after all
other queries. A slot is open once no undecided query can still end in it. So a query that needs many attempts joins a
later slot and holds up nobody, while the same answers always make the same order.
"""

BLOCK_QUERIES = 32  # queries of a block; a smaller one starts the trainer earlier, each costs one fsync
LAG_BLOCKS = 4  # slots by which an attempt is later: 128 queries, about what is in flight while one retry is answered


class Frontier:
    """Progress of the undecided queries below `num_queries`; ordinals count from 0."""

    def __init__(self, num_queries: int, max_attempts: int, defer_after: int | None = None) -> None:
        self._num_queries = num_queries
        self._max_attempts = max_attempts
        self.num_blocks = -(-num_queries // BLOCK_QUERIES)
        self.early_attempts = min(defer_after or max_attempts, max_attempts)  # the last number of the first sequence
        late_attempts = max_attempts - self.early_attempts
        self._early_slots = self.num_blocks + (self.early_attempts - 1) * LAG_BLOCKS if num_queries else 0
        late_slots = self.num_blocks + (late_attempts - 1) * LAG_BLOCKS if num_queries and late_attempts else 0
        self.num_slots = self._early_slots + late_slots
        self._undecided: dict[int, dict[int, int]] = {}  # block -> ordinal -> attempts that it will need at least
        self._done: set[int] = set()  # blocks without undecided queries

    def decided(self, ordinal: int) -> None:
        """All pairs of this query are settled, or it was removed. Said once for each query."""
        block = self._block(ordinal // BLOCK_QUERIES)
        assert ordinal in block, f"query {ordinal} was decided twice"
        del block[ordinal]
        if not block:
            self._done.add(ordinal // BLOCK_QUERIES)
            del self._undecided[ordinal // BLOCK_QUERIES]

    def needs(self, ordinal: int, attempts: int) -> None:
        """Say that a query will not be decided before its `attempts`-th attempt."""
        block = self._block(ordinal // BLOCK_QUERIES)
        assert ordinal in block, f"query {ordinal} was decided before it needed attempt {attempts}"
        block[ordinal] = max(block[ordinal], attempts)

    def open(self, slot: int) -> bool:
        """Whether no undecided query can still end in this slot."""
        return all(self._beyond(block, number) for block, number in self.members(slot))

    def complete(self, block: int, *, late: bool) -> bool:
        """Whether all queries of a block are decided; of those decided within `early_attempts`, unless `late`."""
        return block in self._done if late else self._beyond(block, self.early_attempts)

    def members(self, slot: int) -> list[tuple[int, int]]:
        """(block, attempt number) whose decided queries belong to a slot, oldest block first."""
        if slot < self._early_slots:
            place, first, last = slot, 1, self.early_attempts
        else:
            place, first, last = slot - self._early_slots, self.early_attempts + 1, self._max_attempts
        highest = min(last, first + place // LAG_BLOCKS)
        lowest = first + max(0, -(-(place - self.num_blocks + 1) // LAG_BLOCKS))
        return [(place - (number - first) * LAG_BLOCKS, number) for number in range(highest, lowest - 1, -1)]

    @property
    def all_decided(self) -> bool:
        """Whether no query is undecided."""
        return len(self._done) == self.num_blocks

    def slot_of(self, block: int, number: int) -> int:
        """The slot of the queries of a block that were decided at this attempt."""
        if number <= self.early_attempts:
            return block + (number - 1) * LAG_BLOCKS
        return self._early_slots + block + (number - self.early_attempts - 1) * LAG_BLOCKS

    def _beyond(self, block: int, number: int) -> bool:
        """Whether no undecided query of the block can be decided at this attempt or an earlier one."""
        return block in self._done or all(least > number for least in self._block(block).values())

    def _block(self, block: int) -> dict[int, int]:
        if block in self._done:
            return {}
        if block not in self._undecided:
            first = block * BLOCK_QUERIES
            self._undecided[block] = dict.fromkeys(range(first, min(first + BLOCK_QUERIES, self._num_queries)), 1)
        return self._undecided[block]
