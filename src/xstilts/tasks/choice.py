"""Multiple choice: pick the continuation or the answer. Input A is the prompt, B one choice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.tasks.base import Data, Files, HoldOut, Hub, Task

if TYPE_CHECKING:
    from xstilts.tasks.base import Row


def _csqa(row: Row) -> dict[str, Any]:
    answers = row["choices"]
    return {
        "id": row["id"],
        "prompt": row["question"],
        "choices": answers["text"],
        "label": answers["label"].index(row["answerKey"]),
    }


def _hellaswag(row: Row) -> dict[str, Any]:
    # B starts with the second half of the context, as in jiant's hellaswag.py.
    return {
        "id": row["ind"],
        "group": row["source_id"],
        "prompt": row["ctx_a"],
        "choices": [f"{row['ctx_b']} {ending}".strip() for ending in row["endings"]],
        "label": row["label"],
    }


def _hellaswag_merged(row: Row) -> dict[str, Any]:
    return {
        "id": row["ind"],
        "prompt": row["query"],
        "choices": row["choices"],
        "label": row["gold"],
    }


def _cosmos(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "group": row["context"],
        "prompt": f"{row['context']} {row['question']}",
        "choices": [row[f"answer{i}"] for i in range(4)],
        "label": row["label"],
    }


def _codah(row: Row) -> dict[str, Any]:
    return {"prompt": row["1"], "choices": [row[str(i)] for i in range(2, 6)], "label": row["6"]}


def _social_iqa(row: Row) -> dict[str, Any]:
    right = row["correct"] if "correct" in row else "ABC"[int(row["label"]) - 1]
    return {
        "group": row["context"],
        "prompt": f"{row['context']} {row['question']}",
        "choices": [row[f"answer{letter}"] for letter in "ABC"],
        "label": "ABC".index(right),
    }


def _copa(row: Row) -> dict[str, Any]:
    # The prompt is in English whatever the language, as in XTREME-R's run_xcopa.py.
    return {
        "id": row["idx"],
        "prompt": f"{row['premise']} What was the {row['question']}?",
        "choices": [row["choice1"], row["choice2"]],
        "label": row["label"],
    }


_CSQA_HUB = partial(
    Hub, repo="tau/commonsense_qa", revision="94630fe30dad47192a8546eb75f094926d47e155", adapt=_csqa
)
_CSQA_MIRROR = partial(Files, reader="jsonl", adapt=_csqa)
CSQA = Task(
    name="csqa",
    about="CommonsenseQA: five answers to a commonsense question",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 5,
    license="MIT",
    source_url="https://aclanthology.org/N19-1421",
    sources={
        "hub": Data(
            train=_CSQA_HUB(split="train"),
            select=_CSQA_HUB(split="validation"),
            evaluate=_CSQA_HUB(split="validation"),
            split="dev",
        ),
        "mirror": Data(
            train=_CSQA_MIRROR(path="commonsenseqa/train_rand_split.from_olmo.jsonl"),
            select=_CSQA_MIRROR(path="commonsenseqa/dev_rand_split.from_olmo.jsonl"),
            evaluate=_CSQA_MIRROR(path="commonsenseqa/dev_rand_split.from_olmo.jsonl"),
            split="dev",
        ),
    },
)

_HELLASWAG_HUB = partial(
    Hub,
    repo="Rowan/hellaswag",
    revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
    adapt=_hellaswag,
)
HELLASWAG = Task(
    name="hellaswag",
    about="four endings to a situation, three of them written by a machine",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 4,
    grouped_by="video or article; on the mirror, which does not name them, nothing",
    license="MIT",
    source_url="https://aclanthology.org/P19-1472",
    sources={
        "hub": Data(
            train=_HELLASWAG_HUB(split="train"),
            select=_HELLASWAG_HUB(split="validation"),
            evaluate=_HELLASWAG_HUB(split="validation"),
            split="dev",
        ),
        "mirror": Data(
            train=Files(
                path="hellaswag/hellaswag_val_1000subset.jsonl",
                reader="jsonl",
                adapt=_hellaswag_merged,
            ),
            select=HoldOut(share=0.1),
            note="1,000 rows of the development set serve as training rows; context not split",
        ),
    },
)

_CODAH_HUB = partial(
    Hub,
    repo="jaredfern/codah",
    revision="4b0e0e7f33b3ae8cd8e69bcdfa09af9611d8f3bd",
    config="fold_0",
    fields={
        "group": "question_propmt",
        "prompt": "question_propmt",
        "choices": "candidate_answers",
        "label": "correct_answer_idx",
    },
)
_CODAH_MIRROR = partial(Files, reader="tsv", header=False, adapt=_codah, fields={"group": "prompt"})
CODAH = Task(
    name="codah",
    about="2,776 adversarial sentence completions in the manner of SWAG",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 4,
    grouped_by="prompt",
    license="ODC-BY 1.0",
    source_url="https://aclanthology.org/W19-2008",
    sources={
        "hub": Data(
            train=_CODAH_HUB(split="train"),
            select=_CODAH_HUB(split="validation"),
            evaluate=_CODAH_HUB(split="test"),
            split="test (fold 0)",
        ),
        "mirror": Data(
            train=_CODAH_MIRROR(path="codah/cv_split/fold_0/train.tsv"),
            select=_CODAH_MIRROR(path="codah/cv_split/fold_0/dev.tsv"),
            evaluate=_CODAH_MIRROR(path="codah/cv_split/fold_0/test.tsv"),
            split="test (fold 0)",
        ),
    },
)

_COSMOS_QA_HUB = partial(
    Hub,
    repo="allenai/cosmos_qa",  # whose main branch has a script alone: the hub's own conversion
    revision="ed50fe83db62b355759053b1cd5eef344ee371e0",
    adapt=_cosmos,
)
COSMOS_QA = Task(
    name="cosmos_qa",
    about="Cosmos QA: commonsense reading comprehension, four answers",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 4,
    grouped_by="context",
    license="CC BY 4.0",
    source_url="https://aclanthology.org/D19-1243",
    sources={
        "hub": Data(
            train=_COSMOS_QA_HUB(split="train"),
            select=_COSMOS_QA_HUB(split="validation"),
            evaluate=_COSMOS_QA_HUB(split="validation"),
            split="dev",
        ),
        "mirror": Data(
            train=Files(path="cosmosqa/valid.csv", reader="csv", adapt=_cosmos),
            select=HoldOut(share=0.1),
            note="the development set serves as training rows (the training file is absent)",
        ),
    },
)

_SOCIAL_IQA_HUB = partial(
    Hub,
    repo="lighteval/siqa",
    revision="54c6a1f8cb6daf4f5abf24a601852612fb35eb25",
    adapt=_social_iqa,
)
_SOCIAL_IQA_MIRROR = partial(Files, reader="jsonl", adapt=_social_iqa)
SOCIAL_IQA = Task(
    name="social_iqa",
    about="Social IQa: three answers to a question about people; trained before COPA in XTREME-R",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 3,
    grouped_by="context",
    license="CC BY 4.0",
    source_url="https://aclanthology.org/D19-1454",
    sources={
        "hub": Data(
            train=_SOCIAL_IQA_HUB(split="train"),
            select=_SOCIAL_IQA_HUB(split="validation"),
            evaluate=_SOCIAL_IQA_HUB(split="validation"),
            split="dev",
        ),
        "mirror": Data(
            train=_SOCIAL_IQA_MIRROR(path="socialiqa/socialIQa_v1.4_tst.jsonl"),
            select=HoldOut(share=0.1),
            evaluate=_SOCIAL_IQA_MIRROR(path="socialiqa/socialIQa_v1.4_dev.jsonl"),
            split="dev",
            note="the test set serves as training rows (the training file is absent)",
        ),
    },
)

_COPA_HUB = partial(
    Hub,
    repo="aps/super_glue",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    config="copa",
    adapt=_copa,
)
_COPA_MIRROR = partial(Files, reader="jsonl", adapt=_copa)
COPA = Task(
    name="copa",
    about="COPA: which of two is the cause, or the effect?",
    format="multiple_choice",
    metrics=("accuracy",),
    chance=1 / 2,
    license="BSD 2-clause (unverified)",
    source_url="https://people.ict.usc.edu/~gordon/copa.html",
    sources={
        "hub": Data(
            train=_COPA_HUB(split="train"),
            select=_COPA_HUB(split="validation"),
            evaluate=_COPA_HUB(split="validation"),
            split="dev",
        ),
        "mirror": Data(
            train=_COPA_MIRROR(path="xcopa/en_copa_superglue/train-en.jsonl"),
            select=_COPA_MIRROR(path="xcopa/en_copa_superglue/val-en.jsonl"),
            evaluate=_COPA_MIRROR(path="xcopa/en_copa_superglue/val-en.jsonl"),
            split="dev",
            note="the test set's labels are blanked in XTREME-R's file (all 0)",
        ),
    },
)

XCOPA = Task(
    name="xcopa",
    about="XCOPA: COPA's development and test sets in eleven languages, translated by people",
    format="multiple_choice",
    metrics=("accuracy",),
    languages=("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh"),
    chance=1 / 2,
    parallel=True,
    protocol='XTREME-R: "social_iqa > copa | xcopa", five epochs each',
    license="CC BY 4.0",
    source_url="https://aclanthology.org/2020.emnlp-main.185",
    sources={
        "hub": Data(
            train_on="copa",
            evaluate=Hub(
                repo="cambridgeltl/xcopa",
                revision="042f78955ba48e6404616762fa6e05e839c3907a",
                config="{lang}",
                split="test",
                adapt=_copa,
            ),
            split="test",
        ),
        "mirror": Data(
            train_on="copa",
            evaluate=Files(path="xcopa/data/{lang}/test.{lang}.jsonl", reader="jsonl", adapt=_copa),
            split="test",
        ),
    },
)

TASKS = (CSQA, HELLASWAG, CODAH, COSMOS_QA, SOCIAL_IQA, COPA, XCOPA)
