"""Chinese: a character is a word, so that a copy with some characters changed is found."""

import random

import pytest

from reasonmill.engine.curate.disguises import Disguiser
from reasonmill.engine.curate.duplicates import near_duplicates

# the commonest characters of modern text, in falling frequency
CHARACTERS = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都"
    "同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由"
    "问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真"
    "论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空"
    "决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识"
)


def texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    weights = [1 / (rank + 8) for rank in range(len(CHARACTERS))]

    def clause() -> str:
        return "".join(rng.choices(CHARACTERS, weights, k=rng.randrange(4, 16)))

    # as exam questions: 200 to 500 characters. In a shorter text a few edits make two texts of Jaccard below 0.8
    return ["，".join(clause() for _ in range(rng.randrange(21, 50))) + "。" for _ in range(count)]


@pytest.mark.parametrize(("share", "least"), [(0.005, 0.99), (0.01, 0.95)])
def test_copies_with_characters_changed_are_found(share: float, least: float) -> None:
    originals = texts(800, 1)
    disguiser = Disguiser(CHARACTERS, 2)
    copies = [disguiser.edited_characters(text, share) for text in originals]
    kept_as = near_duplicates([*originals, *copies])
    found = sum(kept_as[n] == kept_as[len(originals) + n] for n in range(len(originals)))
    assert found >= least * len(originals)


def test_texts_of_the_same_characters_are_not_copies() -> None:
    originals = texts(1500, 3)
    assert near_duplicates(originals).tolist() == list(range(len(originals)))
