"""Which attempts of settled pairs are in the dataset: conditions on `pairs JOIN attempts USING (ordinal, teacher)`."""

LOWEST = "attempts.number = pairs.number"  # the one that settled its pair; others that passed meanwhile do not count
EVERY = "pairs.number IS NOT NULL AND attempts.outcome = 'pass'"


def accepted_attempts(mode: str) -> str:
    """The condition of a mode of asking: k_pass keeps every right answer."""
    return EVERY if mode == "k_pass" else LOWEST
