"""The ZeRO-3 trainer of the student."""
