"""What a run will take, before it is started: the recipe's own scheduler, rehearsed in virtual time."""
