"""Long word problems with numbers to fill in: what near duplicates are planted in. Written for this project.

Each story has 60 words or more and one edit of a word or two, so that the edited copy shares at least 0.8 of its
five-word sequences with the original; another draw of its numbers is another question.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """A text with the fields {a}, {b} and {c}, the answer for their values, and an edit that changes no number."""

    text: str
    answer: Callable[[int, int, int], int]
    edit: tuple[str, str]

    def draw(self, rng: random.Random) -> tuple[int, int, int]:
        """Values that keep every answer positive: a in 40..99, b in 3..12, c in 13..30."""
        return rng.randint(40, 99), rng.randint(3, 12), rng.randint(13, 30)

    def question(self, values: tuple[int, int, int]) -> str:
        """The story with these numbers."""
        a, b, c = values
        return self.text.format(a=a, b=b, c=c)

    def edited(self, values: tuple[int, int, int]) -> str:
        """The story with these numbers and other words in one place."""
        return self.question(values).replace(*self.edit)


STORIES: tuple[Story, ...] = (
    Story(
        text="At the edge of the old town there is a small workshop in which wooden toys are made by hand. On every "
        "working day the two carpenters finish {b} rocking horses, and in the evening they carry all of them to a cool "
        "store room behind the yard. When the month began there were already {a} rocking horses in the store room. "
        "How many rocking horses are in the store room after {c} working days?",
        answer=lambda a, b, c: a + b * c,
        edit=("small workshop", "little workshop"),
    ),
    Story(
        text="A mountain hut is supplied by mules because no road leads up to it. This week the keeper of the hut "
        "has ordered {c} sacks of potatoes, and the mules also have to carry {a} kilograms of firewood for the "
        "stove in the kitchen. One sack of potatoes weighs exactly {b} kilograms. The path is steep, and nobody "
        "else brings anything this week. How many kilograms do the mules carry up to the hut altogether?",
        answer=lambda a, b, c: a + b * c,
        edit=("steep, and nobody", "narrow, and nobody"),
    ),
    Story(
        text="For the birthday of their teacher the children of a village school fold paper cranes and hang them on "
        "long threads in the window of the classroom. They fold {c} cranes on each of {b} afternoons. During the "
        "last night the wind blows through the open window, and in the morning {b} of the cranes lie torn on the "
        "floor. The children throw the torn cranes away. How many paper cranes still hang in the window?",
        answer=lambda a, b, c: b * c - b,
        edit=("long threads", "thin threads"),
    ),
    Story(
        text="An astronomer wants to take photographs of a comet that can be seen for only a few weeks. She has "
        "bought a new memory card on which {a} photographs fit when it is empty. In the first clear night she takes "
        "{c} photographs of the comet and keeps all of them, and before the second night she deletes {b} of these "
        "photographs because they are blurred. How many further photographs fit on the memory card now?",
        answer=lambda a, b, c: a - c + b,
        edit=("a few weeks", "several weeks"),
    ),
    Story(
        text="The owner of a flower shop drives to the market long before sunrise. Today she buys {b} bunches of "
        "sunflowers there, and there are {c} sunflowers in every bunch. Back in the shop she notices that {b} "
        "sunflowers have broken stems, so she gives these away to the children next door. From all the other "
        "sunflowers she makes one huge bouquet for the entrance of the town hall. How many sunflowers are in the "
        "bouquet?",
        answer=lambda a, b, c: b * c - b,
        edit=("huge bouquet", "splendid bouquet"),
    ),
    Story(
        text="In the harbour of an island lies a ship that carries containers to the mainland twice a week. There "
        "are already {a} containers on its deck when the crane starts to work in the morning. The crane lifts {b} "
        "containers an hour from the quay onto the ship without making a break. The captain wants to leave as soon "
        "as the crane has worked for {c} hours. With how many containers does the ship leave the harbour?",
        answer=lambda a, b, c: a + b * c,
        edit=("wants to leave", "plans to leave"),
    ),
    Story(
        text="Before the long winter a family of bears looks for a cave in the forest. On the way the mother finds "
        "{c} acorns under every oak that they pass, and they pass {b} oaks before it gets dark. The two cubs are "
        "hungry and eat {b} of these acorns while the mother watches a passing wolf. What is left is carried into "
        "the cave. How many acorns does the family of bears carry into its cave?",
        answer=lambda a, b, c: b * c - b,
        edit=("passing wolf", "distant wolf"),
    ),
    Story(
        text="A radio station plays a quiz on Saturday evenings, and whoever calls first with the right answer wins "
        "points. Up to this evening Joana had won {a} points in all the quizzes of the year. This evening she is "
        "the first to call in {b} rounds and wins {c} points in each of them, and in the other rounds she wins "
        "nothing at all. How many points has Joana won this year when the quiz of this evening is over?",
        answer=lambda a, b, c: a + b * c,
        edit=("Saturday evenings", "Sunday evenings"),
    ),
    Story(
        text="A tailor of costumes works for the opera of the capital. For the new production she needs golden "
        "buttons, and she finds {a} of them in a drawer that nobody has opened for years. Every one of the {b} "
        "coats in the second act needs {c} golden buttons, and she has to order from a merchant abroad whatever is "
        "missing. The merchant sells single buttons too. How many golden buttons do the coats need, counting those "
        "from the drawer?",
        answer=lambda a, b, c: b * c,
        edit=("merchant abroad", "dealer abroad"),
    ),
    Story(
        text="Every spring the rowing club repairs its boats in a shed beside the lake. This year {b} boats have to "
        "be painted, and for each of the boats the members need {c} spoons of a red powder that is stirred into the "
        "varnish. The treasurer has bought a bag with enough powder for all the boats, and when everything is "
        "painted there are still {a} spoons of the powder left. How many spoons of powder were in the bag at first?",
        answer=lambda a, b, c: a + b * c,
        edit=("beside the lake", "near the lake"),
    ),
    Story(
        text="The night guard of a large museum walks through all the rooms once in every hour and counts the statues, "
        "because one of them was stolen long ago. There are {c} statues on each of the {b} floors, and another {a} "
        "statues stand in the garden where the guard begins his tour. Last night nothing was missing. "
        "How many statues did the guard count in the hour after midnight, the statues of the garden included?",
        answer=lambda a, b, c: a + b * c,
        edit=("stolen long ago", "stolen years ago"),
    ),
    Story(
        text="A scientist who studies seals has spent the summer on a rocky coast in the north. At the beginning of "
        "June she counted {a} seals on the sand bank in front of her tent. In the weeks after that {c} young seals "
        "were born there, but {b} old animals swam away with the current and did not come back before the autumn. "
        "How many seals lived on the sand bank when the scientist went home in the autumn?",
        answer=lambda a, b, c: a + c - b,
        edit=("rocky coast", "lonely coast"),
    ),
)
