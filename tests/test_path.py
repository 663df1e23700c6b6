from __future__ import annotations

import re
import string
from itertools import pairwise
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.errors import UserError
from xstilts.path import CONTROLS, Evaluation, Item, Mixture, Noise, Path, parse


def stage(*items: Item) -> Mixture:
    return Mixture(items)


XNLI = stage(Item("xnli"))

# The examples of the design, and what each stands for.
EXAMPLES = {
    "xnli": Path((XNLI,)),
    "mnli > xnli": Path((stage(Item("mnli")), XNLI)),
    "mnli[10k] > xnli": Path((stage(Item("mnli", rows=10_000)), XNLI)),
    "mnli + squad_v1 + hellaswag > xnli": Path(
        (stage(Item("mnli"), Item("squad_v1"), Item("hellaswag")), XNLI)
    ),
    "mnli + squad_v1@0.5 > xnli": Path((stage(Item("mnli"), Item("squad_v1", share=0.5)), XNLI)),
    "all9 > xnli": Path((stage(Item("all9")), XNLI)),
    "mnli + mlm@0.2 > xnli": Path((stage(Item("mnli"), Item("mlm", share=0.2)), XNLI)),
    "mnli[1k as 10k] > xnli": Path((stage(Item("mnli", rows=1000, as_rows=10_000)), XNLI)),
    "mnli:de/ru/sw > xnli": Path((stage(Item("mnli", ("de", "ru", "sw"))), XNLI)),
    "ccg > mnli > xnli": Path((stage(Item("ccg")), stage(Item("mnli")), XNLI)),
    "squad_v1 | tatoeba, bucc2018": Path(
        (stage(Item("squad_v1")),), (Evaluation("tatoeba"), Evaluation("bucc2018"))
    ),
    "shuffled(mnli) > xnli": Path((stage(Item("mnli", control="shuffled")), XNLI)),
    "text(mnli) > xnli": Path((stage(Item("mnli", control="text")), XNLI)),
    "same_steps(mnli) > xnli": Path((stage(Item("mnli", control="same_steps")), XNLI)),
    "shuffled(mnli[10k]) > xnli": Path(
        (stage(Item("mnli", rows=10_000, control="shuffled")), XNLI)
    ),
    "mnli ~keyboard@0.1 > xnli": Path(
        (stage(Item("mnli", noise=Noise("keyboard", 0.1))), XNLI),
    ),
    "mnli + qqp:en[10k]@0.5 ~code_switch@1 > xnli": Path(
        (
            stage(
                Item("mnli"),
                Item("qqp", ("en",), 10_000, 0.5, noise=Noise("code_switch", 1.0)),
            ),
            XNLI,
        )
    ),
    "| tatoeba": Path((), (Evaluation("tatoeba"),)),
    "| tatoeba:de/fr": Path((), (Evaluation("tatoeba", ("de", "fr")),)),
    "mnli + text(mnli:de[1500])@0.25 > xnli": Path(
        (stage(Item("mnli"), Item("mnli", ("de",), 1500, 0.25, "text")), XNLI)
    ),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_mean_what_they_say_and_print_back(text):
    assert parse(text) == EXAMPLES[text]
    assert str(EXAMPLES[text]) == text


def test_the_table_of_the_documentation_holds_canonical_paths():
    guide = FilePath(__file__).parent.parent / "docs" / "paths.md"
    table = guide.read_text(encoding="utf-8").partition("## Study files")[0]
    texts = [
        text.replace(r"\|", "|") for text in re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    ]
    assert len(texts) >= 14
    assert [str(parse(text)) for text in texts] == texts


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mnli>xnli", "mnli > xnli"),
        (" mnli : de / ru [ 10k ] @ 0.2 + qqp\t>\nxnli ", "mnli:de/ru[10k]@0.2 + qqp > xnli"),
        ("shuffled ( mnli [ 7 ] ) > xnli|tatoeba,x", "shuffled(mnli[7]) > xnli | tatoeba, x"),
        ("|tatoeba", "| tatoeba"),
        ("mnli[10000]", "mnli[10k]"),
        ("mnli[1000k]", "mnli[1M]"),
        ("mnli[1500k]", "mnli[1500k]"),
        ("mnli[1500]", "mnli[1500]"),
        ("mnli + qqp@.50", "mnli + qqp@0.5"),
        ("mnli + qqp@0.00001", "mnli + qqp@0.00001"),
        ("a@0.7 + b@0.2 + c@0.1", "a@0.7 + b@0.2 + c@0.1"),  # 0.7 + 0.2 + 0.1 < 1 in floats
        ("text", "text"),  # a control word without a bracket is a name like any other
        ("mnli + mnli:de + shuffled(mnli)", "mnli + mnli:de + shuffled(mnli)"),
        ("mnli~keyboard@.10>xnli", "mnli ~keyboard@0.1 > xnli"),
        ("a@.5 ~ swap @ 1.0 + b@0.5", "a@0.5 ~swap@1 + b@0.5"),
        ("shuffled(mnli)~marks@0.0", "shuffled(mnli) ~marks@0"),
        ("mnli + mnli ~drop@0.1", "mnli + mnli ~drop@0.1"),  # clean and noisy rows
    ],
)
def test_other_spellings_have_one_canonical_text(text, canonical):
    assert str(parse(text)) == canonical


AFTER_ITEM = 'expected "+", ">", "|" or the end'
ORDER = (
    "training is written task:languages[rows]@share ~noise@severity, an evaluation task:languages"
)
PERTURBATION = "expected the name of a perturbation"
SEVERITY = "expected a severity from 0 to 1, such as 0.1"
ROWS = "expected a number of rows such as 1500, 10k or 1M"
SHARE = "expected a share above 0 and below 1, such as 0.2"


@pytest.mark.parametrize(
    ("text", "character", "message"),
    [
        ("", 1, "found the end, expected a task name"),
        ("mnli >> xnli", 7, 'found ">", expected a task name'),
        ("mnli > ", 8, "found the end, expected a task name"),
        ("mnli +", 7, "found the end, expected a task name"),
        ("xnli |", 7, "found the end, expected a task name"),
        ("> xnli", 1, 'found ">", expected a task name'),
        ("9all", 1, 'found "9all", expected a task name'),
        ("mnli xnli", 6, f'found "xnli", {AFTER_ITEM}'),
        ("mnli, xnli", 5, f'found ",", {AFTER_ITEM}'),
        ("xnli | tatoeba > ccg", 16, 'found ">", expected "," or the end'),
        # Look-alikes
        (
            "MNLI > xnli",
            1,
            'found "MNLI", expected a task name; names are lower case, write "mnli"',
        ),
        ("mnli → xnli", 6, f'found "→", {AFTER_ITEM}; write ">"'),
        ("mnli -> xnli", 6, f'found "->", {AFTER_ITEM}; write ">"'),
        ("mnli > ＞ xnli", 8, 'found "＞", expected a task name; write ">"'),
        ("mnli ｜ xnli", 6, f'found "｜", {AFTER_ITEM}; write "|"'),
        ("ｍｎｌｉ", 1, 'found "ｍｎｌｉ", expected a task name; write "mnli"'),
        ("squad-v1", 6, f'found "-", {AFTER_ITEM}; write "_"'),
        ("mnli & qqp", 6, f'found "&", {AFTER_ITEM}; write "+"'),
        # Languages
        ("mnli:", 6, "found the end, expected a language code of 2 or 3 letters"),
        ("mnli:DE", 6, 'found "DE", expected a language code of 2 or 3 letters; write "de"'),
        ("mnli:german", 6, 'found "german", expected a language code of 2 or 3 letters'),
        ("mnli:de/de", 9, 'found "de" again, expected each language once'),
        # Rows
        ("mnli[]", 6, f'found "]", {ROWS}'),
        ("mnli[0]", 6, f'found "0", {ROWS}'),
        ("mnli[1.5k]", 6, f'found "1.5k", {ROWS}'),
        ("mnli[1,000]", 6, f'found "1,000", {ROWS}'),
        ("mnli[10K]", 6, f'found "10K", {ROWS}; write "10k"'),
        ("mnli[1m]", 6, f'found "1m", {ROWS}; write "1M"'),
        ("mnli[1k as 1k]", 12, 'found "1k", expected another number of rows'),
        ("mnli[1k as]", 11, f'found "]", {ROWS}'),
        ("mnli[1k as 5", 13, 'found the end, expected "]"'),
        ("mnli[10k > xnli", 10, 'found ">", expected "]"'),
        ("mnli[10k]:de", 10, f'found ":", {AFTER_ITEM}; {ORDER}'),
        ("| tatoeba[10k]", 10, f'found "[", expected "," or the end; {ORDER}'),
        # Shares
        ("mnli + mlm@0", 12, f'found "0", {SHARE}'),
        ("mnli + mlm@1.0", 12, f'found "1.0", {SHARE}'),
        ("mnli + mlm@0.0", 12, f'found "0.0", {SHARE}'),
        ("mnli + mlm@20%", 12, f'found "20%", {SHARE}'),
        ("mnli + mlm@0,2", 12, f'found "0,2", {SHARE}'),
        (
            "x > a + b@0.5 + c@0.5",
            5,
            'found shares that sum to 1, expected less than 1, because "a" has no share',
        ),
        ("a@0.6 + b@0.6", 1, "found shares that sum to 1.2, expected at most 1"),
        ("c + a@0.6 + b@0.6", 1, "found shares that sum to 1.2, expected at most 1"),
        (
            "mnli@0.5",
            1,
            "found shares that sum to 0.5, expected 1, or a task without a share for the rest",
        ),
        # Controls
        (
            "shufled(mnli) > xnli",
            1,
            'found "shufled(", expected a control; did you mean "shuffled"?',
        ),
        (
            "mnli > zz(mnli)",
            8,
            'found "zz(", expected a control; allowed: imported, same_steps, shuffled, text',
        ),
        ("text(shuffled(mnli))", 14, 'found "(", expected ")"'),
        ("text(mnli", 10, 'found the end, expected ")"'),
        ("text(mnli@0.2)", 10, f'found "@", expected ")"; {ORDER}'),
        # Noise
        ("mnli ~ > xnli", 8, 'found ">", expected the name of a perturbation'),
        (
            "mnli ~keyboard > xnli",
            16,
            'found ">", expected "@" and how much of it, as in keyboard@0.1',
        ),
        (
            "mnli ~Keyboard@0.1",
            7,
            f'found "Keyboard", {PERTURBATION}; names are lower case, write "keyboard"',
        ),
        ("mnli ~keyboard@2", 16, f'found "2", {SEVERITY}'),
        ("mnli ~keyboard@10%", 16, f'found "10%", {SEVERITY}'),
        ("mnli ~keyboard@0.1@0.5", 19, f'found "@", {AFTER_ITEM}; {ORDER}'),
        ("text(mnli ~keyboard@0.1)", 11, f'found "~", expected ")"; {ORDER}'),
        ("| xnli ~keyboard@0.1", 8, f'found "~", expected "," or the end; {ORDER}'),
        # Twice
        ("mnli + qqp + mnli[10k]", 14, 'found "mnli" again, expected each task of a stage once'),
        (
            "mnli:de/ru + mnli:ru/de",
            14,
            'found "mnli" again, expected each task of a stage once',
        ),
        ("| x:de, x, x:de", 12, 'found "x" again, expected each evaluation once'),
    ],
)
def test_a_bad_path_is_refused_at_its_character(text, character, message):
    with pytest.raises(UserError) as caught:
        parse(text)
    assert str(caught.value) == f'path "{text}", character {character}: {message}'


def test_characters_that_do_not_print_are_shown_as_escapes():
    with pytest.raises(UserError) as caught:
        parse("a\n\u200bb")
    expected = rf'path "a\n\u200bb", character 3: found "\u200b", {AFTER_ITEM}'
    assert str(caught.value) == expected


# Random paths. Few letters and languages, so that near twins are common.
NAMES = st.one_of(
    st.sampled_from(["a", "b", "a_b", "de", "mnli", "text", "shuffled", "k"]),
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
)
LANGUAGES = st.lists(st.sampled_from(["de", "ru", "fil"]), unique=True, max_size=3).map(tuple)
ROW_COUNTS = st.one_of(
    st.none(),
    st.integers(1, 12),
    st.integers(1, 10**12 - 1),
    st.integers(1, 2_000).map(lambda n: 1_000 * n),
)


ROWS = st.tuples(ROW_COUNTS, ROW_COUNTS).map(
    lambda both: (both[0], both[1] if both[0] and both[0] != both[1] else None)
)
NOISES = st.one_of(
    st.none(), st.builds(Noise, NAMES, st.sampled_from([0.0, 0.00001, 0.1, 0.25, 1.0]))
)


@st.composite
def mixtures(draw: st.DrawFn) -> Mixture:
    datas = draw(
        st.lists(
            st.tuples(NAMES, LANGUAGES, ROWS, st.sampled_from([None, *CONTROLS]), NOISES),
            min_size=1,
            max_size=3,
            unique_by=lambda data: (data[0], frozenset(data[1]), data[3], data[4]),
        )
    )
    # Cut 1000 into as many parts as there are tasks, and hide the first parts: the others, as
    # thousandths, sum to 1 where nothing is hidden and to less where something is.
    count = len(datas)
    cuts = draw(st.lists(st.integers(1, 999), min_size=count - 1, max_size=count - 1, unique=True))
    ends = [0, *sorted(cuts), 1000]
    parts = [(high - low) / 1000 for low, high in pairwise(ends)]
    hidden = draw(st.integers(0 if count > 1 else 1, count))
    return Mixture(
        tuple(
            Item(
                *(task, languages, rows, None if index < hidden else parts[index], control),
                as_rows=as_rows,
                noise=noise,
            )
            for index, (task, languages, (rows, as_rows), control, noise) in enumerate(datas)
        )
    )


EVALUATIONS = st.lists(
    st.builds(Evaluation, NAMES, LANGUAGES),
    max_size=2,
    unique_by=lambda evaluation: (evaluation.task, frozenset(evaluation.languages)),
)
PATHS = (
    st.tuples(st.lists(mixtures(), max_size=3).map(tuple), EVALUATIONS.map(tuple))
    .filter(any)
    .map(lambda parts: Path(*parts))
)


@given(PATHS)
def test_every_path_prints_to_a_text_that_means_it(path):
    assert parse(str(path)) == path


def text_of_slug(slug: str) -> str:
    """The canonical text, read back from a slug that was not cut: an inverse shows injectivity."""
    data = r"([a-z][a-z0-9_]*)((?:-[a-z]{2,3})*)(?:-([0-9]+[kM]?(?:as[0-9]+[kM]?)?))?"

    def data_text(name, languages, rows):
        languages = languages.removeprefix("-").replace("-", "/")
        return (
            name
            + (f":{languages}" if languages else "")
            + (f"[{rows}]".replace("as", " as ") if rows else "")
        )

    def item_text(item):
        noise = r"(?:=([a-z][a-z0-9_]*)=([0-9.]+))?"
        form = rf"(?:(\w+)\.)?{data}(?:=([0-9.]+))?{noise}"
        control, *parts, share, name, severity = re.fullmatch(form, item).groups()
        inner = f"{control}({data_text(*parts)})" if control else data_text(*parts)
        inner += f"@{share}" if share else ""
        return inner + (f" ~{name}@{severity}" if name else "")

    trained, _, evaluated = slug.partition(",,")
    stages = [" + ".join(map(item_text, s.split("+"))) for s in trained.split("--") if s]
    evaluations = ", ".join(map(item_text, evaluated.split(","))) if evaluated else ""
    return (" > ".join(stages) + (f" | {evaluations}" if evaluations else "")).strip()


@given(PATHS)
def test_a_slug_is_file_safe_and_can_be_read_back(path):
    slug = path.slug
    assert set(slug) <= set(string.ascii_letters + string.digits + "_-.+=,")
    assert slug[0] not in ".-+="  # neither hidden nor an option nor expanded by a shell
    assert len(slug) <= 120
    if "..." not in slug:
        assert text_of_slug(slug) == str(path)


@given(st.lists(PATHS, max_size=8, unique=True))
def test_different_paths_have_different_slugs_even_where_case_is_ignored(paths):
    assert len({path.slug.lower() for path in paths}) == len(paths)


def test_slugs_are_readable():
    assert parse("mnli + squad_v1@0.5 > xnli").slug == "mnli+squad_v1=0.5--xnli"
    assert parse("shuffled(mnli:de/ru[10k]) | x, y:de").slug == "shuffled.mnli-de-ru-10k,,x,y-de"
    assert parse("| tatoeba").slug == ",,tatoeba"
    assert parse("mnli ~keyboard@0.1 > xnli").slug == "mnli=keyboard=0.1--xnli"


def test_long_slugs_are_cut_and_still_differ():
    long = " > ".join(f"task_{n}" for n in range(40))
    first, second = parse(long + " > a").slug, parse(long + " > b").slug
    assert first != second
    assert max(len(first), len(second)) <= 120
    assert first.startswith("task_0--task_1--")


ALPHABET = st.one_of(st.sampled_from("ab >+|,:/[]@~().0159kM_-→＞\n"), st.characters(codec=None))


@given(st.one_of(st.text(max_size=60), st.text(ALPHABET, max_size=60)))
def test_any_text_parses_or_is_refused_in_one_line(text):
    try:
        path = parse(text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 (both outcomes are right)
    else:
        assert parse(str(path)) == path
