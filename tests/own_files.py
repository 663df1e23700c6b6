"""What the tests of task files write and read."""

import json

from xstilts.sources import Sources


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def squad(**answers):
    """SQuAD's JSON with one question for each answer, in one paragraph; "" has no answer."""
    context = "Nairobi is in Kenya."
    questions = [
        {
            "id": name,
            "question": f"{name}?",
            "answers": [{"text": text, "answer_start": context.index(text)}] if text else [],
        }
        for name, text in answers.items()
    ]
    paragraphs = [{"context": context, "qas": questions}]
    return json.dumps({"data": [{"title": "Nairobi", "paragraphs": paragraphs}]})


def examples(task, split, language="en", source="files"):
    return Sources().examples(task, task.sources[source], split, language)
