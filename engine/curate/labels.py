"""The labels that curation gives to queries: those of arXiv 2503.19633, figures 4 and 5 and section 2.2.4."""

LANGUAGES = ("en", "zh", "other")
LENGTHS = ("short", "medium", "long", "very long")
DIFFICULTIES = ("very easy", "easy", "medium", "hard", "very hard")
TOPICS = ("math", "coding", "information seeking", "reasoning", "planning", "creative writing", "others")
LABELS = {
    "language": LANGUAGES,
    "length": LENGTHS,
    "difficulty": (*DIFFICULTIES, "unknown"),
    "topic": (*TOPICS, "unknown"),
}
