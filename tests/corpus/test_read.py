import pytest

from corpus.mirror import bible, declaration, write
from xstilts.corpus import read
from xstilts.errors import UserError


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    return tmp_path / "corpus"


@pytest.fixture
def mirror(tmp_path):
    return tmp_path / "mirror"


def running(corpus, mirror):
    return [(name, code, list(lines)) for name, code, lines in read.text(corpus, mirror)]


def rows(corpus, mirror):
    return [(name, list(found)) for name, found in read.parallel(corpus, mirror)]


def test_folders_come_in_the_order_of_the_table(corpus, mirror):
    write(corpus / "kaznerd/kk.txt", "Бір.\nЕкі.\n")
    write(corpus / "eltec_novels/de.txt", "Eins.\n")
    write(corpus / "MANIFEST.md", "not a source")
    assert running(corpus, mirror) == [
        ("eltec_novels", "de", ["Eins."]),
        ("kaznerd", "kk", ["Бір.", "Екі."]),
    ]


def test_a_table_of_rows(corpus, mirror):
    write(corpus / "nusa_writes/parallel_id_jv.tsv", "id\tid\tjv\n1\tsatu\tsiji\n2\tdua\t\n")
    write(corpus / "nusa_writes/jv.txt", "Telu.\n")
    assert rows(corpus, mirror) == [
        ("nusa_writes", [{"id": "satu", "jv": "siji"}, {"id": "dua"}]),
    ]


def test_a_source_without_a_licence_is_refused(corpus, mirror):
    write(corpus / "eltec_novel/de.txt", "Eins.\n")
    with pytest.raises(UserError, match=r'"eltec_novel".*did you mean "eltec_novels"\?'):
        running(corpus, mirror)


def test_a_broken_table_is_refused(corpus, mirror):
    write(corpus / "bitcoin_org/parallel.tsv", "id\ten\tde\n1\tone\teins\n2\ttwo\n")
    with pytest.raises(UserError, match=r"parallel.tsv line 3: 2 columns, the first line has 3"):
        rows(corpus, mirror)


def test_a_file_that_is_not_utf_8_is_refused(corpus, mirror):
    (corpus / "kaznerd").mkdir()
    (corpus / "kaznerd/kk.txt").write_bytes(b"tea\ncaf\xe9\n")
    with pytest.raises(UserError, match=r"kk.txt line 2 is not UTF-8"):
        running(corpus, mirror)


def test_wikipedia_and_treebank_sentences_are_told_apart(corpus, mirror):
    raw = mirror / "raw_text/ud_panx_train_detok"
    write(raw / "tr.txt", "Ev, büyük.\n'' Kitap '' iyi , çok.\n * '''Ad'''#soyad.\n")
    write(mirror / "udpos/train-tr.tsv", "Ev\tNOUN\n,\tPUNCT\nbüyük\tADJ\n.\tPUNCT\n\n")
    write(raw / "da.txt", "Et hus.\n")
    write(mirror / "udpos/train-da.tsv", "Et\tDET\nhus\tNOUN\n.\tPUNCT\n\n")
    found = running(corpus, mirror)  # runs of spaces are for the cleaning to make one
    assert [
        (name, code, [" ".join(one.split()) for one in lines]) for name, code, lines in found
    ] == [
        ("ud_train_share_alike", "da", ["Et hus."]),
        ("panx_wikipedia", "da", []),
        ("ud_train", "tr", ["Ev, büyük."]),
        ("panx_wikipedia", "tr", ["Kitap iyi, çok.", "Ad soyad."]),
    ]


def test_without_a_treebank_all_is_wikipedia(corpus, mirror):
    write(mirror / "raw_text/ud_panx_train_detok/de.txt", "Ein Haus.\n")
    assert running(corpus, mirror)[1] == ("panx_wikipedia", "de", ["Ein Haus."])


def test_bibles_are_aligned_by_verse_and_coded_by_file(corpus, mirror):
    bible(mirror, "Swahili-NT", {"b.MAT.1.1": "Hii ndiyo.", "b.MAT.1.2": "Abrahamu."})
    bible(mirror, "Latvian-NT", {"b.MAT.1.2": "Ābrahams."})
    bible(mirror, "Coptic-NT", {"b.MAT.1.1": "ⲡϫⲱⲱⲙⲉ"})  # not in our table
    ((name, found),) = rows(corpus, mirror)
    assert name == "bible_corpus"
    assert [{code: text.strip() for code, text in row.items()} for row in found] == [
        {"lv": "Ābrahams.", "sw": "Abrahamu."},
        {"sw": "Hii ndiyo."},
    ]


def test_ntrex_files_become_rows_in_our_codes(corpus, mirror):
    folder = mirror / "ntrex128"
    write(folder / "newstest2019-src.eng.txt", "One.\nTwo.\n")
    write(folder / "newstest2019-ref.por.txt", "Um (Europa).\nDois.\n")
    write(folder / "newstest2019-ref.por-BR.txt", "Um.\nDois.\n")
    write(folder / "newstest2019-ref.deu.txt", "Eins.\nZwei.\n")
    write(folder / "newstest2019-ref.eng-GB.txt", "One.\nTwo.\n")
    assert rows(corpus, mirror) == [
        (
            "ntrex128",
            [
                {"en": "One.", "de": "Eins.", "pt": "Um."},
                {"en": "Two.", "de": "Zwei.", "pt": "Dois."},
            ],
        )
    ]


def articles(language, paragraphs):
    return [
        [f"Article {n}", *(f"{language} {n}.{i}" for i in range(1, count + 1))]
        for n, count in enumerate(paragraphs, start=1)
    ]


def test_the_declaration_is_aligned_by_article(corpus, mirror):
    # 30 articles of 1, 2, 3, 1, 2, 3, ... paragraphs after a title and a preamble
    counts = [1 + n % 3 for n in range(30)]
    other = counts.copy()
    other[4] = 5  # one article is divided differently in Finnish
    declaration(
        mirror,
        {
            "eng": [["Title", "Preamble"], *articles("en", counts)],
            "fin": [["Nimi"], ["Johdanto", "a", "b"], *articles("fi", other)],
            "swe": articles("sv", counts)[:20],  # too little: not used
            "pes_1": [["T", "P"], *articles("fa", counts)],
            "aaa": articles("aa", counts),  # not in our table
        },
    )
    ((name, found),) = rows(corpus, mirror)
    assert name == "udhr"
    assert found[0] == {"en": "en 1.1", "fa": "fa 1.1", "fi": "fi 1.1"}
    assert found[2] == {"en": "en 2.2", "fa": "fa 2.2", "fi": "fi 2.2"}
    # articles 1 to 4 have 1 + 2 + 3 + 1 = 7 paragraphs, so number 7 is article 5's first
    assert found[7] == {"en": "en 5.1", "fa": "fa 5.1"}
    assert len(found) == sum(counts)
