"""What holds of every perturbation, in every script of the table."""

from __future__ import annotations

from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from xstilts import perturb
from xstilts.identity import fingerprint
from xstilts.languages import table
from xstilts.perturb.edits import apply, draw
from xstilts.perturb.validity import applicable

SENTENCES = {
    "ar": 'القطة نائمة، "أُمّ" 12.',
    "bn": "বিড়াল ক্ষুধা ঘুমাচ্ছে। ২০",
    "de": "Die Katze schläft nicht: 3.5 «Straße»!",
    "el": "Η γάτα κοιμάται; 7",
    "fa": "گربهٔ مَن آب می‌خوابد؟ ۱۲",
    "gu": "બિલાડી સૂઈ રહી છે.",
    "he": "החתול יָשֵׁן, עכשיו.",
    "hi": "बिल्ली क्षत्रिय सो रही है। 2019",
    "hy": "Կատուն քնած է։",
    "am": "ድመቷ ተኝታለች። 5",
    "ja": "猫が「ずっと」寝ています。12",
    "ka": "კატას სძინავს, ისევ.",
    "km": "ឆ្មាកំពុងដេក។ ខ្ញុំ ១០",
    "kn": "ಬೆಕ್ಕು ಮಲಗಿದೆ, ಕ್ಷೀರ ೧೨.",
    "ko": "고양이가 많이 자고 있다.",
    "lo": "ແມວກຳລັງນອນ, ຢູ່ນີ້ ໒໐.",
    "ml": "പൂച്ച ഉറങ്ങുന്നു.",
    "my": "ကြောင်အိပ်နေသည်။ ၁၀",
    "or": "ବିଲେଇ ଶୋଇଛି। ୧୨",
    "pa": "ਬਿੱਲੀ ਸੌਂ ਰਹੀ ਹੈ।",
    "si": "බළලා නිදාගෙන සිටී, ක්‍රමය 5.",
    "ru": "Кошка спит ещё 5 часов, да?",
    "ta": "பூனை தூங்குகிறது. க்ஷ",
    "te": "పిల్లి నిద్రపోతోంది, స్త్రీ.",
    "th": "แมวกำลัง“นอนหลับ” ที่นี่ 2562",
    "tr": "Kedi ılık İzmir'de uyuyor.",
    "vai": "ꕉꕜꕮ ꔔꘋ ꖸ ꔰ ꗋꘋ 5.",
    "vi": "Con mèo đang ngủ tiếng Việt.",
    "yue": "貓喺度瞓覺。",
    "zh": "猫在睡觉，不叫。",
}
SINGLE = [name for name in perturb.PERTURBATIONS if name != "distractor"]
LEXICON = {"katze": ("cat",), "है": ("is",), "в": ("in",), "кошка": ("cat",)}
GENERIC = {"swap", "drop", "insert", "repeat", "punctuation", "whitespace", "zero_width"}

languages = st.sampled_from(sorted(SENTENCES))
names = st.sampled_from(SINGLE)
severities = st.floats(0, 1)
seeds = st.integers(0, 2**31)


@st.composite
def texts(draw_, language):
    """The sentence of a language with its words repeated, left out and reordered."""
    words = SENTENCES[language].split()
    chosen = draw_(st.lists(st.sampled_from(words), max_size=12))
    return " ".join(chosen)


def perturbation(name, language):
    if not applicable(name, language)[0]:
        return None
    module = {"homoglyphs": "confusable_homoglyphs", "romanisation": "uroman"}.get(name)
    module = "pypinyin" if name == "homophones" else module
    if module:
        pytest.importorskip(module)
    return perturb.get(name, LEXICON)


def clusters(text):
    return regex.findall(r"\X(?:(?=\p{M})\X)*", text)


def lost_marks(text):
    """Marks without a letter before them."""
    return regex.findall(r"(?<![\p{L}\p{M}\p{N}\u200c\u200d])\p{M}", text)


def test_a_sentence_for_every_script():
    assert {table()[code].script for code in SENTENCES} == {row.script for row in table().values()}


@pytest.mark.parametrize("language", sorted(table()))
def test_every_language_has_the_generic_perturbations(language):
    assert {name for name in perturb.PERTURBATIONS if applicable(name, language)[0]} >= GENERIC


@pytest.mark.parametrize("language", sorted(SENTENCES))
@pytest.mark.parametrize("name", SINGLE)
def test_what_applies_has_something_to_do(name, language):
    """In a sentence of the script; code-switching and homophones need words that are known."""
    found = perturbation(name, language)
    text = SENTENCES[language] + " 12"
    if found is None or name == "code_switch":
        return
    edits = draw(text, found, 1, 1, language)
    assert edits
    assert all(edit.text != text[edit.start : edit.end] for edit in edits)


@given(st.data(), languages, names, severities, seeds)
def test_clusters_stay_whole(data, language, name, severity, seed):
    found = perturbation(name, language)
    if found is None:
        return
    text = data.draw(texts(language))
    edits = draw(text, found, severity, seed, language)
    bounds, at = {0}, 0
    for cluster in clusters(text):
        at += len(cluster)
        bounds.add(at)
    assert all({edit.start, edit.end} <= bounds for edit in edits)
    assert all(one.end <= two.start for one, two in pairwise(edits))
    assert not lost_marks(apply(text, edits))


@given(st.data(), languages, names, severities, severities, seeds)
def test_graded_and_repeatable(data, language, name, one, other, seed):
    found = perturbation(name, language)
    if found is None:
        return
    text = data.draw(texts(language))
    low, high = sorted((one, other))
    less, more = (draw(text, found, severity, seed, language) for severity in (low, high))
    assert set(less) <= set(more)
    assert draw(text, found, high, seed, language) == more
    assert not draw(text, found, 0, seed, language)
    assert len(draw(text, found, 1, seed, language)) == len(found.sites(text, language))


@given(names, languages, st.text(), seeds)
def test_any_text_will_do(name, language, text, seed):
    found = perturbation(name, language)
    if found is not None:
        apply(text, draw(text, found, 1, seed, language))


def test_no_text_changes_without_its_version():
    """Steps are named by the version: it is raised where this fingerprint changes."""
    own = {name for name in SINGLE if not getattr(perturb.get(name, LEXICON), "module", "")}
    texts_ = {
        f"{name} {language}": apply(text, draw(text, perturb.get(name, LEXICON), 0.3, 7, language))
        for name in sorted(own)
        for language, text in sorted(SENTENCES.items())
    }
    assert (perturb.VERSION, fingerprint(texts_)) == (2, "7c8a3af0c0f9217eae4d")
