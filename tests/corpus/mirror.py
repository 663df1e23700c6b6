"""A corpus folder and a mirror of a few lines each, in the layouts of the real ones."""

import json
import zipfile

# evaluation set -> (file, its content with {} where a sentence goes)
PLACES = {
    "xnli": ("xnli/test-en.tsv", "{}\tAnother one.\tneutral\n"),
    "pawsx": ("pawsx/labelled_test/test_2k-de.tsv", "id\ts1\ts2\tlabel\n7\tEins.\t{}\t1\n"),
    "udpos": ("udpos/dev-en.tsv", "{words}\n\nEnd\tNOUN\n"),
    "wikineural": ("wikineural/en/test.conllu", "{numbered}\n\n0\tEnd\tO\n"),
    "xquad": ("xquad/xquad.en.json", "{squad}"),
    "mlqa": ("mlqa/dev/dev-context-en-question-de.json", "{squad}"),
    "tydiqa": ("tydiqa_goldp/tydiqa-goldp-v1.1-train/tydiqa.goldp.ko.train.json", "{squad}"),
    "tatoeba": ("tatoeba/tatoeba.deu-eng.eng", "First.\n{}\n"),
    "xcopa": ("xcopa/data/et/val.et.jsonl", '{{"premise": "P.", "choice2": "{}", "label": 0}}\n'),
    "lareqa": ("lareqa/xquad-r/en.json", '{{"data": [{{"sentences": ["Some.", "{}"]}}]}}'),
    "squad": ("squad/dev-v2.0.json", "{squad}"),
    "hellaswag": ("hellaswag/val.jsonl", '{{"query": "Q", "choices": ["C", "{}"], "gold": 1}}\n'),
    "codah": ("codah/full_data.tsv", "o\t{start}\t{end}\tno\tnot\tnever\t0\n"),
    "cosmosqa": ("cosmosqa/valid.csv", 'id,context,question\n1,"{}",Why?\n'),
    "commonsenseqa": ("commonsenseqa/dev.jsonl", '{{"question": "{}", "answerKey": "A"}}\n'),
    "socialiqa": ("socialiqa/tst.jsonl", '{{"context": "{}", "answerA": "a"}}\n'),
    "taxinli": ("taxinli_mnli10k/taxinli10k.tsv", "prem\thyp\tlabel\nP.\t{}\tneutral\n"),
    "bucc2018": ("bucc2018/de-en.test.de", "de-000000001\tEins.\nde-000000002\t{}\n"),
    "mewslix": (
        "mewslix/wikinews_mentions-test.jsonl",
        '{{"context": {{"language": "en", "text": "{}"}}, "mentions": []}}\n',
    ),
    "ccg": ("ccg/ccg.dev", "{}\tN N N\n"),
    "textfooler": ("textfooler_nli1k/snli.tsv", "neutral\t{}\tH .\n"),
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def plant(mirror, name, sentence):
    """Write the one file of an evaluation set, with the sentence in it."""
    path, content = PLACES[name]
    words = sentence.split()
    paragraph = {"context": f"Before. {sentence}. After.", "qas": [{"question": "Q?"}]}
    write(
        mirror / path,
        content.format(
            sentence,
            words="\n".join(f"{word}\tNOUN" for word in words),
            numbered="\n".join(f"{i}\t{word}\tO" for i, word in enumerate(words)),
            squad=json.dumps({"data": [{"paragraphs": [paragraph]}]}),
            start=" ".join(words[:2]),
            end=" ".join(words[2:]),
        ),
    )


def bible(mirror, name, verses):
    segments = "\n".join(
        f'<seg id="{verse}" type="verse">\n\t\t{text}\n\t</seg>' for verse, text in verses.items()
    )
    write(mirror / f"raw_text/bible-corpus/{name}.xml", f"<cesDoc>{segments}</cesDoc>")


def declaration(mirror, files):
    """``files``: name -> articles, each a list of a heading and paragraphs."""
    path = mirror / "raw_text/nltk_udhr2/udhr2.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, articles in files.items():
            blocks = ("\n".join(f"      {line}" for line in one) for one in articles)
            archive.writestr(f"udhr2/{name}.txt", "\n   \n".join(blocks) + "\n")
