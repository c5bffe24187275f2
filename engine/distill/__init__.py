"""Ask until verified: the attempts of every (query, teacher) pair and their scheduling."""
