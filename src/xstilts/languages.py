"""The languages: one row each in ``languages.csv``, so that no code ever branches on a language.

What the columns mean, where every value comes from and what is unverified: docs/languages.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: the ISO 639-1 code where one exists, else the three-letter code.
        iso639_3: the ISO 639-3 code; "" where ISO 639-3 has none in force.
        name: the English name.
        family: the top-level family; "Creole" and "Constructed" stand beside the families.
        branch: the branch of the family (WALS: genus); "" for constructed languages.
        script: the ISO 15924 code of the script that its benchmark text is in.
        word_order: the dominant order of subject, object and verb (WALS 81A), "none" where WALS
            finds none dominant, "" where WALS has no value.
        xlmr_gib: GiB of text in XLM-R's pretraining data; None where it has none.
        xlmr_tokens_m: the same in millions of tokens, as published.
        xtreme: among the 40 languages of XTREME.
        xtreme_r: among the 50 languages of XTREME-R.
        tatoeba: the code in LASER's Tatoeba file names; "" where there is no pair with English.
        corpus: among the languages whose text our pretraining corpora take.
    """

    code: str
    iso639_3: str
    name: str
    family: str
    branch: str
    script: str
    word_order: str
    xlmr_gib: float | None
    xlmr_tokens_m: float | None
    xtreme: bool
    xtreme_r: bool
    tatoeba: str
    corpus: bool

    @property
    def spaced(self) -> bool:
        """Whether spaces part the words of its script."""
        return self.script not in UNSPACED


LONGEST_CODE = 3
# Codes that some datasets have, most of them given up by ISO 639-1, and what they are here.
OLD_CODES = MappingProxyType({"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "fil": "tl"})
# Scripts that part no words with spaces, by their ISO 15924 codes.
UNSPACED = frozenset({"Hans", "Hant", "Jpan", "Khmr", "Laoo", "Mymr", "Thai", "Tibt"})


def get(code: str) -> Language:
    """The language with this code.

    Raises:
        UserError: if no row has the code; a name or a three-letter code is answered with the
            code it should be.
    """
    known = table()
    if code in known:
        return known[code]

    from difflib import get_close_matches

    aliases = {
        alias.casefold(): row
        for row in known.values()
        for alias in (row.name, row.tatoeba, row.iso639_3, row.code)
        if alias
    }
    given = code.casefold()
    first = re.split("[-_]", given)[0]  # as in zh-CN; scripts and countries are no part of a code
    names = (OLD_CODES.get(first, first), given)
    near = next((one for one in names if one in aliases), "")
    if not near and len(given) > LONGEST_CODE:  # short ones are all alike: "ha" is not Thai
        near = next(iter(get_close_matches(given, aliases, n=1, cutoff=0.8)), "")
    if near:
        row = aliases[near]
        hint = f' did you mean "{row.code}" ({row.name})?'
    else:
        hint = f' "xstilts languages" lists the {len(known)} there are'
    raise UserError(f'language "{code}" is not a known code:{hint}')


def in_corpora() -> dict[str, Language]:
    """Those whose text our pretraining corpora take, by code."""
    return {code: row for code, row in table().items() if row.corpus}


@cache
def table() -> Mapping[str, Language]:
    """All of them by code, in the order of the codes."""
    import csv  # both are slow to import, and most commands never ask for a language
    from importlib.resources import files

    text = files("xstilts").joinpath("languages.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType({row["code"]: _language(row) for row in rows})


def _language(row: dict[str, str]) -> Language:
    return Language(
        code=row["code"],
        iso639_3=row["iso639_3"],
        name=row["name"],
        family=row["family"],
        branch=row["branch"],
        script=row["script"],
        word_order=row["word_order"],
        xlmr_gib=float(row["xlmr_gib"]) if row["xlmr_gib"] else None,
        xlmr_tokens_m=float(row["xlmr_tokens_m"]) if row["xlmr_tokens_m"] else None,
        xtreme=row["xtreme"] == "1",
        xtreme_r=row["xtreme_r"] == "1",
        tatoeba=row["tatoeba"],
        corpus=row["corpus"] == "1",
    )
