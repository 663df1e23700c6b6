"""Every perturbation in the scripts it is for, at severity 1, by hand."""

from __future__ import annotations

import pytest

from xstilts import perturb
from xstilts.errors import UserError
from xstilts.perturb.edits import apply, draw


def at_full(name, language, text, lexicon=None):
    found = perturb.get(name, lexicon)
    return apply(text, draw(text, found, 1, 1, language))


@pytest.mark.parametrize(
    ("name", "language", "before", "after"),
    [
        ("swap", "en", "the cat sat", "hte cta ast"),  # of every other word from its second letter
        ("swap", "en", "of an", "fo na"),
        ("swap", "hi", "बिल्ली सो", "ल्लीबि सो"),  # with their marks
        ("swap", "zh", "猫在睡", "在猫睡"),
        ("swap", "ko", "고양이", "양고이"),
        ("drop", "en", "the cat, 42", "t c, 42"),
        ("drop", "hi", "बिल्ली", "बि"),
        ("drop", "th", "แมวดี", "แ"),
        ("drop", "ar", "قطة نائمة", "ق ن"),
        ("repeat", "fr", "né", "nnéé"),
        ("repeat", "he", "חתול", "חחתתוולל"),
        ("repeat", "ta", "பூனை", "பூபூனைனை"),
        ("marks", "fr", "déjà là", "deja la"),
        ("marks", "vi", "tiếng Việt", "tieng Viet"),
        ("marks", "ru", "ещё мой ёж", "еще мой еж"),
        ("marks", "uk", "їжак", "їжак"),
        ("marks", "el", "γάτα ϊός", "γατα ιος"),
        ("marks", "ar", "أُمّ", "ام"),
        ("marks", "ar", "مئات آن", "مئات ان"),  # the hamza of other letters is part of them
        ("marks", "fa", "آن مَن", "آن من"),  # and the madda of Persian
        ("marks", "ur", "آم گئے", "آم گئے"),
        ("drop", "pa", "ਪ੍ਰੇਮ", "ਪ੍ਰੇ"),  # a virama joins what Unicode's clusters part
        ("marks", "he", "שָׁלוֹם", "שלום"),
        ("marks", "hi", "बिल्ली", "बल्ल"),  # the virama joins consonants and stays
        ("marks", "bn", "বিড়াল", "বডল"),
        ("marks", "th", "ที่นี่", "ทน"),
        ("marks", "km", "ខ្ញុំ", "ខ្ញ"),
        ("marks", "ja", "がぎパ", "かきハ"),
        ("case", "en", "The EU", "tHE eu"),
        ("case", "de", "Straße", "sTRAßE"),
        ("case", "tr", "Işık", "ıŞIK"),
        ("case", "el", "γάτας", "ΓΆΤΑς"),
        ("case", "hy", "Կատու", "կԱՏՈՒ"),
        ("digits", "hi", "2019 में १२", "२०१९ में 12"),
        ("digits", "ar", "12", "١٢"),
        ("digits", "fa", "12", "۱۲"),
        ("digits", "th", "ปี 2562", "ปี ๒๕๖๒"),
        ("digits", "my", "10", "၁၀"),
        ("whitespace", "en", "a b  c ", "abc "),
        ("whitespace", "zh", "猫在。睡", "猫 在。睡"),
        ("word_drop", "en", "one two, three four", "one , "),
        ("word_drop", "ka", "კატას სძინავს", "კატას "),
        ("shuffle", "en", "one two three, four", "two one three, four"),
        ("shuffle", "te", "పిల్లి నిద్ర", "నిద్ర పిల్లి"),
        ("kana", "ja", "ずつをじ猫", "づつおぢ猫"),
    ],
)
def test_at_full_severity(name, language, before, after):
    assert at_full(name, language, before) == after


def options(name, language, text, number=0):
    found = perturb.get(name)
    site = found.sites(text, language)[number]
    return found.options(text, site, language)


def test_what_may_stand_there():
    assert options("insert", "en", "abca", 1) == ("ba", "bb", "bc")
    assert options("insert", "hi", "बिल्ली") == ("बिबि", "बिल्ली")
    assert options("punctuation", "en", "no.") == ("", "..")
    assert options("punctuation", "hi", "है।") == ("", "।।")
    assert options("zero_width", "en", "ab") == ("\u200b", "\u2060", "\ufeff")
    assert options("bidi", "he", "כן") == ("\u200fכן", "\u200eכן", "\u2068כן\u2069")


def test_punctuation_without_spaces():
    assert perturb.get("punctuation").sites("猫。「在」", "zh") == [(1, 2), (2, 3), (4, 5)]


def test_marks_inside_numbers_and_words_are_no_punctuation():
    found = perturb.get("punctuation")
    assert found.sites("3.5 e.g. it's (1,000)?", "en") == [(7, 8), (14, 15), (20, 21), (21, 22)]


def test_code_switching_takes_whole_words_whatever_their_capitals():
    lexicon = {"cat": ("Katze",), "sat": ("saß", "setzte")}
    assert at_full("code_switch", "en", "The Cat concatenates", lexicon) == "The Katze concatenates"
    assert at_full("code_switch", "en", "it sat", lexicon) in ("it saß", "it setzte")


def test_look_alikes_are_of_another_script():
    pytest.importorskip("confusable_homoglyphs")
    assert "а" in options("homoglyphs", "en", "a")  # Cyrillic
    assert "a" in options("homoglyphs", "ru", "а")  # Latin
    assert "Ａ" not in options("homoglyphs", "en", "A")  # the full-width A is normalised away
    assert at_full("homoglyphs", "ru", "ж") == "ж"
    assert at_full("homoglyphs", "hi", "क") == "क"


def test_homophones_of_common_characters():
    pytest.importorskip("pypinyin")
    assert {"士", "市", "事"} < set(options("homophones", "zh", "是"))  # shì
    assert "是" not in options("homophones", "zh", "是")
    assert at_full("homophones", "zh", "a，") == "a，"


@pytest.mark.parametrize(
    ("language", "text", "latin"),
    [("ru", "Мама OK", "Mama OK"), ("hi", "नमस्ते", "namaste"), ("zh", "不知道", "buzhidao")],
)
def test_romanisation(language, text, latin):
    pytest.importorskip("uroman")
    assert at_full("romanisation", language, text) == latin


def test_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setattr(perturb, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'homoglyphs.*install "xstilts\[perturb\]"'):
        perturb.get("homoglyphs")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keyboard", "as in keyboard@0.1"),
        ("keybord@0.1", 'did you mean "keyboard"'),
        ("keyboard@1.5", "from 0 to 1"),
        ("keyboard@-1", "from 0 to 1"),
        ("keyboard@0.1@0.2", "expected the end"),
    ],
)
def test_mistakes_in_a_noise(text, message):
    with pytest.raises(UserError, match=message):
        perturb.parse(text)


def test_a_noise_prints_back():
    assert str(perturb.parse("keyboard@.10")) == "keyboard@0.1"
    assert str(perturb.parse("keyboard@1.0")) == "keyboard@1"
    assert str(perturb.parse("swap@0.00001")) == "swap@0.00001"


def test_letters_newer_than_pythons_table():
    """Unicode names for them may be missing, while the regex package knows their script."""
    assert at_full("keyboard", "te", "\u0c5cి").startswith("\u0c5c")
    pytest.importorskip("confusable_homoglyphs")
    assert at_full("homoglyphs", "ru", "\u1c89 e\u0301") == "\u1c89 e\u0301"
