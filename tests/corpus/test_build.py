import json

import pytest

from corpus.mirror import PLACES, declaration, plant, write
from corpus.test_overlap import plain_grams, plain_keys
from xstilts import corpus, microworld
from xstilts.corpus import evaluation
from xstilts.corpus.licences import EXCLUDED, sources
from xstilts.errors import UserError

PLANTED = "Twelve grey geese flew over the quiet harbour before the storm came up that night"
DROPS = [
    *("too_short", "too_long", "markup", "wrong_script", "fragment"),
    *("untranslated", "duplicate", "overlap", "alone"),
]


@pytest.fixture
def raw(tmp_path):
    """A corpus with every kind of line, and what should become of it."""
    folder = tmp_path / "corpus"
    write(
        folder / "eltec_novels/en.txt",
        "A good line.\n"
        "a  GOOD line\n"  # duplicate
        "No.\n"  # too short
        "Read <i>this</i> line.\n"
        "Это не английский.\n"
        f"{'x' * 800}\n"
        f"{'One sentence of forty characters, or so. ' * 20}\n"  # 819 characters: split in two
        f"He said: {PLANTED.lower()}!\n"  # shares 13-grams
        f"Well, well. {PLANTED}. Yes.\n",  # has the sentence
    )
    write(folder / "common_voice_sentences/en.txt", "A good line!\nAnother line.\n")
    write(folder / "common_voice_sentences/de.txt", "Ein guter Satz.\n")
    write(
        folder / "gnome_user_docs/parallel.tsv",
        "id\ten\tde\tru\n"
        "1\tSave the file.\tSpeichern Sie die Datei.\tСохраните файл.\n"
        "2\tSave the file.\tSpeichern Sie die Datei.\tСохраните этот файл.\n"  # de: duplicate
        "3\tOpen it.\tOpen it.\tОткройте.\n"  # de: untranslated
        f"4\t{PLANTED}.\tZwölf Gänse.\tДвенадцать гусей.\n"  # en overlaps, the others stay
        "5\tOnly English.\t\tOnly Latin.\n",  # ru: wrong script; en: alone
    )
    for name in ("NC_lafand_mt", "cinnamon_translations", "cmu_haitian_medical"):
        write(folder / f"{name}/en.txt", f"Never to be seen, {name}.\n")
        write(folder / f"{name}/parallel.tsv", "id\ten\tsw\n1\tNever seen.\tKamwe.\n")
    mirror = tmp_path / "mirror"
    plant(mirror, "xnli", f"{PLANTED}.")
    ud = mirror / "raw_text/ud_panx_train_detok"
    write(ud / "tr.txt", "Never seen, of a treebank.\nBir ev.\nYÖNLENDİRME Ankara\nBir ev!\n")
    treebank = "Never seen , of a treebank .".replace(" ", "\tX\n")
    write(mirror / "udpos/train-tr.tsv", f"{treebank}\tX\n\n")
    return folder, mirror


def test_golden(raw, tmp_path):
    report = corpus.build(*raw, tmp_path / "out")
    out = tmp_path / "out"
    text = {path.name: path.read_text().splitlines() for path in (out / "text").iterdir()}
    half = "One sentence of forty characters, or so. " * 17  # 17 x 41 - 1 = 696 characters
    assert text == {
        "de.txt": ["Ein guter Satz."],
        "en.txt": [
            "A good line.",
            half.strip(),
            half[: 3 * 41].strip(),
            "Another line.",
        ],
        "tr.txt": ["Bir ev."],
    }
    rows = [json.loads(line) for line in (out / "parallel.jsonl").read_text().splitlines()]
    source = {"source": "gnome_user_docs"}
    assert rows == [
        {"en": "Save the file.", "de": "Speichern Sie die Datei.", "ru": "Сохраните файл."}
        | source,
        {"en": "Save the file.", "ru": "Сохраните этот файл."} | source,
        {"en": "Open it.", "ru": "Откройте."} | source,
        {"de": "Zwölf Gänse.", "ru": "Двенадцать гусей."} | source,
    ]
    assert report == json.loads((out / "report.json").read_text())
    assert report["text"]["en"]["eltec_novels"] == {
        "lines": 9,
        "split": 1,
        "kept": 3,
        "too_short": 1,
        "too_long": 1,
        "markup": 1,
        "wrong_script": 1,
        "duplicate": 1,
        "overlap": 2,
        # 13 and 696 and 122 characters and three line ends
        "kept_bytes": 12 + 696 + 122 + 3,
        "bytes": (raw[0] / "eltec_novels/en.txt").stat().st_size,
    }
    assert report["text"]["tr"] == {
        "panx_wikipedia": {
            "lines": 3,
            "kept": 1,
            "fragment": 1,
            "duplicate": 1,
            "bytes": 8 + 21 + 8,
            "kept_bytes": 8,  # "YÖNLENDİRME Ankara" has 20 bytes
        }
    }
    mine = {code: by["gnome_user_docs"] for code, by in report["parallel"].items()}
    pick = {code: {k: n for k, n in one.items() if k in DROPS} for code, one in mine.items()}
    assert pick == {
        "en": {"overlap": 1, "alone": 1},
        "de": {"duplicate": 1, "untranslated": 1},
        "ru": {"wrong_script": 1},
    }
    assert report["rows"] == {"gnome_user_docs": 4}
    assert report["overlap"]["xnli"] == {"texts": 2, "sentence": 2, "gram": 3}
    assert report["overlap"]["tatoeba"] == {"texts": 0, "sentence": 0, "gram": 0}


def test_every_line_is_kept_or_counted_once(raw, tmp_path):
    report = corpus.build(*raw, tmp_path / "out")
    counts = [
        one for part in ("text", "parallel") for by in report[part].values() for one in by.values()
    ]
    assert len(counts) == 8 - 1  # en x 2, de, tr; en, de, ru
    for one in counts:
        gone = sum(one.get(reason, 0) for reason in DROPS)
        assert one["lines"] + one.get("split", 0) == one.get("kept", 0) + gone


def test_what_the_licence_forbids_is_nowhere(raw, tmp_path):
    report = corpus.build(*raw, tmp_path / "out")
    written = "".join(
        path.read_text()
        for path in (tmp_path / "out").rglob("*")
        if path.suffix in (".txt", ".jsonl")
    )
    assert "Never" not in written
    assert set(report["excluded"]) == {
        *("NC_lafand_mt", "cinnamon_translations", "cmu_haitian_medical", "ud_train")
    }
    assert all(set(one["flags"]) & EXCLUDED for one in report["excluded"].values())
    assert not any(set(one["flags"]) & EXCLUDED for one in report["sources"].values())
    assert report["sources"]["gnome_user_docs"]["licence"].startswith("CC BY 3.0")


def test_the_table_of_licences():
    assert all(one.excluded for name, one in sources().items() if name.startswith("NC_"))
    assert all(one.licence and one.origin for one in sources().values())
    translated = {name for name, one in sources().items() if "machine-translated" in one.flags}
    assert translated == {name for name in sources() if name.endswith("_mt")} - {"NC_lafand_mt"}


@pytest.mark.parametrize("name", evaluation.SETS)
def test_each_evaluation_set_is_removed(name, tmp_path):
    mirror, out = tmp_path / "mirror", tmp_path / "out"
    plant(mirror, name, PLANTED)
    folder = tmp_path / "corpus"
    lines = [f"{PLANTED}.", "A line of its own.", f"It was so: {PLANTED}, and more."]
    write(folder / "eltec_novels/en.txt", "\n".join(lines) + "\n")
    report = corpus.build(folder, mirror, out)
    assert (out / "text/en.txt").read_text() == "A line of its own.\n"
    hit = {one: counts for one, counts in report["overlap"].items() if counts["texts"]}
    assert set(hit) == {name}
    assert (hit[name]["sentence"], hit[name]["gram"]) == (1, 2)


def test_each_evaluation_set_is_tried():
    assert set(PLACES) == set(evaluation.SETS)


def test_nothing_written_repeats_an_evaluation_text(tmp_path):
    folder, mirror, out = tmp_path / "corpus", tmp_path / "mirror", tmp_path / "out"
    words = [
        "red",
        "blue",
        "old",
        "new",
        "big",
        "low",
        "far",
        "near",
        "sun",
        "moon",
        "sea",
        "hill",
        "bird",
    ]
    planted = [" ".join(words[i:] + words[:i]) for i in range(4)]
    for name, sentence in zip(("xnli", "udpos", "xquad", "tatoeba"), planted, strict=True):
        plant(mirror, name, f"{sentence}.")
    # every window of 10 to 16 words of an endless repetition: some have a planted order
    endless = words * 3
    lines = [" ".join(endless[i : i + n]) for i in range(13) for n in range(10, 17)]
    write(folder / "eltec_novels/en.txt", "\n".join(lines) + "\n")
    corpus.build(folder, mirror, out)
    kept = (out / "text/en.txt").read_text().splitlines()
    keys, grams = plain_keys(" ").union(*map(plain_keys, planted)), set()
    for sentence in planted:
        grams |= plain_grams(sentence)
    expected = [one for one in lines if not (plain_keys(one) & keys or plain_grams(one) & grams)]
    assert kept == expected
    assert 0 < len(expected) < len(lines)


def test_equal_input_gives_equal_bytes(raw, tmp_path):
    def files(out):
        corpus.build(*raw, out)
        return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}

    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_parallel_sources_of_the_mirror_are_written(raw, tmp_path):
    declaration(
        raw[1],
        {
            "eng": [["A", f"All are equal, {n}."] for n in range(30)],
            "deu": [["A", f"Alle sind gleich, {n}."] for n in range(30)],
        },
    )
    report = corpus.build(*raw, tmp_path / "out")
    assert report["rows"]["udhr"] == 30


def test_entries_are_cleaned_and_compared_with_the_evaluation_texts(raw, tmp_path):
    folder, mirror = raw
    plant(mirror, "taxinli", "Good morning!")
    write(
        mirror / "lexicons/wiktionary-dict/en-de-enwiktionary.txt",
        "dog {n} (animal) :: Hund\n"
        "dog {n} (scoundrel) :: Hund\n"  # the same again
        "good morning {phrase} :: guten Morgen\n"  # one side is an evaluation text
        "cat {n} :: кот\n"  # not German
        f"ever {{adv}} :: {'immer ' * 10}\n",  # not a word
    )
    report = corpus.build(folder, mirror, tmp_path / "out")
    lines = (tmp_path / "out/dictionary.jsonl").read_text().splitlines()
    assert list(map(json.loads, lines)) == [{"en": "dog", "de": "Hund", "source": "wiktionary"}]
    assert report["dictionary"]["de"]["wiktionary"] == {
        "lines": 5,
        "kept": 1,
        "duplicate": 1,
        "alone": 1,
        "wrong_script": 1,
        "too_long": 1,
    }
    assert report["dictionary"]["en"]["wiktionary"]["overlap"] == 1
    assert report["rows"]["wiktionary"] == 1


def test_progress_is_told(raw, tmp_path):
    told = []
    corpus.build(*raw, tmp_path / "out", told.append)
    assert told == [
        "2 evaluation texts",
        "eltec_novels en: 3 lines",
        "common_voice_sentences de: 1 lines",
        "common_voice_sentences en: 1 lines",
        "panx_wikipedia tr: 1 lines",
        "gnome_user_docs: 4 rows",
    ]


def test_refusals(raw, tmp_path):
    folder, mirror = raw
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="out exists: choose another folder"):
        corpus.build(folder, mirror, tmp_path / "out")
    with pytest.raises(UserError, match=r"no folder .*/nowhere: it holds the raw text"):
        corpus.build(tmp_path / "nowhere", mirror, tmp_path / "new")
    (mirror / "xnli/test-en.tsv").unlink()
    with pytest.raises(UserError, match="no evaluation file to compare with"):
        corpus.build(folder, mirror, tmp_path / "new")
    assert not (tmp_path / "new").exists()


# Texts by set, added up from the counts that the data sets' own papers and READMEs give: languages
# x rows x texts a row, and the cells of header lines, which are read like any other.
REAL = {
    "xnli": 16 * (2490 + 5010) * 2 + 2 * 2,
    "pawsx": 7 * (2000 + 2000) * 2 + 2 * 2000 * 2 + 2 * 2,
    "wikineural": 12372 + 11597 + 9618 + 12678 + 11069 + 10547 + 13585 + 10160 + 11580 + 11590,
    "xquad": 12 * (240 + 1190),
    "tydiqa": 2 * (3696 + 1625 + 2755 + 921 + 113 + 440 + 782 + 565 + 276 + 812 + 499 + 669),
    "tatoeba": 2 * 88877,
    "xcopa": 3 * (11 * (100 + 500) + 400 + 100 + 500),
    "squad": 2067 + 10570 + 1827 + 9380 + 1204 + 11873,
    "hellaswag": 5 * 1000,
    "codah": 4 * 2776,
    "cosmosqa": 2 * 2985,
    "commonsenseqa": 1221,
    "socialiqa": 1954 + 2224,
    "taxinli": 2 * (10071 + 1),
    "textfooler": 2 * 4 * 1000,
}


@pytest.mark.mirror
@pytest.mark.parametrize("name", REAL)
def test_all_of_a_real_set_is_read(name, mirror):
    assert sum(1 for _ in evaluation.texts(mirror, name)) == REAL[name]


def test_generated_lines_join_the_corpus(raw, tmp_path):
    """All are kept, in every language, and rows say the same in all ten."""
    report = corpus.build(*raw, tmp_path / "out", generated=3)
    codes = microworld.LANGUAGES
    assert {code: report["text"][code]["microworld"]["kept"] for code in codes} == dict.fromkeys(
        codes, 3
    )
    lines = (tmp_path / "out/parallel.jsonl").read_text("utf-8").splitlines()
    rows = [row for line in lines if (row := json.loads(line)).pop("source") == "microworld"]
    assert [row.keys() for row in rows] == [set(codes)] * 3
    running = (tmp_path / "out/text/sw.txt").read_text("utf-8").splitlines()[-3:]
    assert not {row["sw"] for row in rows} & {*running}
    first = microworld.rows("corpus running", "text", "text", 3, "sw")
    assert running == [row["text"] for row in first]
