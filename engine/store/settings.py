"""What a dataset card says that no run can know."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CardSettings:
    """Front matter of the dataset card, in the hub's terms."""

    license: str = "other"  # an SPDX-like identifier; the sources' licences and the teachers' terms decide
    license_name: str | None = None  # names the licence where `license` is `other`
    pretty_name: str | None = None  # None: the name of the run
    languages: tuple[str, ...] = ("en",)  # ISO 639-1 codes
    description: str | None = None  # a paragraph of your own, put first

    def __post_init__(self) -> None:
        if not self.license.strip():
            raise ValueError(f"license: {self.license!r} is empty; `other` says that it is not an SPDX licence")
        for language in self.languages:
            if not (2 <= len(language) <= 3 and language.isascii() and language.isalpha() and language.islower()):
                raise ValueError(f"languages: {language!r} is not an ISO 639 code such as 'en'")
