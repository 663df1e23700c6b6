"""The hub source against the real clients, talking to a hub on this machine."""

import json
import re
import shutil
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub_server import HubServer, run_client
from xstilts.errors import UserError
from xstilts.sources import hub
from xstilts.tasks.base import Hub

# Carries out [function, location, language] calls and tells what each returned or refused.
CLIENT = """
import json, sys
from xstilts.errors import UserError
from xstilts.sources import hub
from xstilts.tasks.base import Hub

def answer(function, location, language):
    if function == "infer":
        return hub.infer(location["repo"])
    found = getattr(hub, function)(Hub(**location), language)
    return found if function == "resolve" else list(found)

for call in json.loads(sys.argv[1]):
    try:
        print(json.dumps({"answer": answer(*call)}))
    except UserError as error:
        print(json.dumps({"error": str(error)}))
"""

NLI_CARD = """---
configs:
- config_name: de
  data_files:
  - {split: train, path: de/train-*}
  - {split: test, path: de/test-*}
- config_name: sw
  data_files:
  - {split: test, path: sw/test-*}
---
"""
NLI = {
    "de/train": {"premise": ["Es regnet."], "hypothesis": ["Es ist nass."], "label": [0]},
    "de/test": {"premise": ["A", "B"], "hypothesis": ["C", "D"], "label": [2, 0]},
    "sw/test": {"premise": ["E", "F"], "hypothesis": ["G", "H"], "label": [2, 1]},
}
NLI_CLASSES = ["entailment", "neutral", "contradiction"]

POS_CARD = """---
dataset_info:
- config_name: udpos.German
  features:
  - {name: tokens, sequence: string}
  - name: pos_tags
    sequence:
      class_label:
        names: {'0': ADJ, '1': NOUN, '2': VERB}
configs:
- config_name: udpos.German
  data_files:
  - {split: test, path: de.jsonl}
---
"""
POS = [{"tokens": ["Hunde", "bellen"], "pos_tags": [1, 2]}, {"tokens": ["Alt"], "pos_tags": [0]}]

QA = [
    {
        "id": name,
        "context": "Nairobi is in Kenya.",
        "question": "Where is Nairobi?",
        "answers": {"text": ["Kenya"], "answer_start": [14]},
    }
    for name in ("english-1", "swahili-1", "english-2")
]
CHOICES = [{"question": "2 + 2?", "options": ["3", "4"], "label": 1}]
REVIEWS = [
    {"id": "a", "text": "Fine.", "label": "good"},
    {"id": "b", "text": "No.", "label": "bad"},
]


def write_parquet(path, columns, classes):
    """As the hub's own conversion writes it: the classes' names stand in the schema."""
    features = {name: {"dtype": "string", "_type": "Value"} for name in columns}
    features["label"] = {"names": classes, "_type": "ClassLabel"}
    table = pa.table(columns)
    about = json.dumps({"info": {"features": features}})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": about}), path)


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_nli(folder):
    for split, columns in NLI.items():
        write_parquet(folder / f"{split}-00000-of-00001.parquet", columns, NLI_CLASSES)
    (folder / "README.md").write_text(NLI_CARD, encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """What the hub of these tests holds."""
    datasets = tmp_path / "hub" / "datasets" / "org"
    write_nli(datasets / "nli")
    write_jsonl(datasets / "pos" / "de.jsonl", POS)
    (datasets / "pos" / "README.md").write_text(POS_CARD, encoding="utf-8")
    write_jsonl(datasets / "qa" / "train.jsonl", QA)
    write_jsonl(datasets / "choices" / "train.jsonl", CHOICES)
    write_jsonl(datasets / "reviews" / "train.jsonl", REVIEWS)
    write_jsonl(datasets / "numbers" / "train.jsonl", [{"x": 1.5}])
    write_jsonl(datasets / "script" / "script.py", [])
    for split in ("train", "test"):  # no card, and a folder of numbered files for each split
        path = datasets / "converted" / "default" / split / "0000.parquet"
        write_parquet(path, NLI[f"de/{split}"], NLI_CLASSES)
    (datasets / "broken").mkdir()
    (datasets / "broken" / "train.jsonl").write_text('{"a": 1}\n{"a": ', encoding="utf-8")
    return tmp_path / "hub"


@pytest.fixture
def ask(tmp_path):
    """Calls hub functions in a new interpreter that knows one hub and says nothing on stderr."""

    def run(server, *calls, **options):
        options = {"cache": tmp_path / "cache", **options}
        done = run_client(CLIENT, json.dumps(calls), endpoint=server.url, **options)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def listed(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_rows_are_read_at_the_pinned_commit_whatever_was_pushed_since(root, ask):
    with HubServer(root) as server:
        old = server.head("datasets/org/nli")
        changed = NLI["de/test"] | {"premise": ["new", "newer"]}
        path = root / "datasets/org/nli/de/test-00000-of-00001.parquet"
        write_parquet(path, changed, NLI_CLASSES)
        server.commit()
        new = server.head("datasets/org/nli")
        place = {"repo": "org/nli", "config": "{lang}", "split": "test"}
        pinned = place | {"revision": old}
        first = ask(
            server, ["resolve", pinned, "de"], ["rows", pinned, "de"], ["rows", pinned, "sw"]
        )
        paths, server.requests[:] = server.paths(), []
        second = ask(server, ["resolve", place, "de"], ["rows", place, "de"])

    identity = {"repo": "org/nli", "config": "de", "split": "test"}
    assert old != new
    assert first[0] == {"answer": identity | {"revision": old}}
    assert first[1] == {"answer": listed(NLI["de/test"])}
    assert first[2] == {"answer": listed(NLI["sw/test"])}
    assert f"/datasets/org/nli/resolve/{old}/de/test-00000-of-00001.parquet" in paths
    assert all(old in path for path in paths)
    assert second == [{"answer": identity | {"revision": new}}, {"answer": listed(changed)}]
    assert server.paths()[0] == "/api/datasets/org/nli"
    assert all(new in path for path in server.paths()[1:])


def test_json_lines_with_a_card_and_names_of_languages(root, ask):
    pos = {"repo": "org/pos", "config": "udpos.{name}", "split": "test"}
    qa = {"repo": "org/qa", "split": "train", "id_prefix": "{name}-"}
    with HubServer(root) as server:
        calls = (
            ["resolve", pos, "de"],
            ["rows", pos, "de"],
            ["resolve", qa, "en"],
            ["rows", qa, "en"],
        )
        place, tags, chosen, questions = (one["answer"] for one in ask(server, *calls))
        assert place == {
            "repo": "org/pos",
            "config": "udpos.German",
            "split": "test",
            "revision": server.head("datasets/org/pos"),
        }
    assert tags == POS
    assert chosen["id_prefix"] == "english-"
    assert questions == [QA[0], QA[2]]


def test_a_commit_of_the_hubs_own_conversion_to_parquet(root, ask):
    with HubServer(root) as server:
        commit = server.head("datasets/org/converted")
        place = {"repo": "org/converted", "split": "test", "revision": commit}
        calls = ["rows", place, "de"], ["rows", place | {"config": "default"}, "de"]
        online = ask(server, *calls)
        offline = ask(server, *calls, HF_HUB_OFFLINE="1")
    assert [one["answer"] for one in online] == [listed(NLI["de/test"])] * 2
    assert online == offline


def test_every_mistake_is_one_line_that_says_what_to_do(root, ask):
    def nli(**changed):
        return ["rows", {"repo": "org/nli", "config": "de", "split": "test"} | changed, "de"]

    with HubServer(root) as server:
        server.gated.add("datasets/org/qa")
        head = server.head("datasets/org/nli")[:7]
        told = ask(
            server,
            nli(repo="org/nlii"),
            nli(repo="a/b/c"),
            nli(repo="nobody/nothing"),
            nli(revision="v2"),
            nli(revision="0" * 40),
            nli(config="deu"),
            nli(config=""),
            nli(split="tests"),
            nli(split="dev"),
            nli(repo="org/script", config="", split="train"),
            nli(repo="org/broken", config="", split="train"),
            nli(repo="org/qa", config="", split="train"),
            nli(repo="./nowhere"),
            HF_TOKEN="hf_secret",
        )
    errors = [one["error"] for one in told]
    login = "(private and gated ones need `hf auth login`)"
    assert errors[:9] == [
        f'no dataset "org/nlii" that you may read on the hub: did you mean "org/nli"? {login}',
        '"a/b/c" names no dataset: write org/name, or a folder that starts with / or ./',
        f'no dataset "nobody/nothing" that you may read on the hub: check the name {login}',
        '"org/nli" has no revision "v2": give a commit, or nothing for the newest',
        f'"org/nli" has no revision "{"0" * 40}": give a commit, or nothing for the newest',
        f'dataset "org/nli" at {head} has no configuration "deu": did you mean "de"?',
        f'dataset "org/nli" at {head} has no configuration "": allowed: de, sw',
        f'dataset "org/nli" at {head} has no split "tests": did you mean "test"?',
        f'dataset "org/nli" at {head} has no split "dev": allowed: test, train',
    ]
    assert re.fullmatch('dataset "org/script" at .{7} cannot be read: .*script.py.*', errors[9])
    assert re.fullmatch('dataset "org/broken" at .{7} cannot be read: .*JSON.*', errors[10])
    assert re.fullmatch('dataset "org/qa" at .{7} cannot be read: .*authenticated.*', errors[11])
    assert errors[12] == "no folder nowhere: check the path, or write org/name for the hub"
    assert not any("\n" in error or "secret" in error for error in errors)


CARDS = {
    "": "---\n{}---\n",
    "after an empty line": "\n---\n{}---\n",
    "with a line of dashes": "---\n---x: y\n{}---\n",
}


@pytest.mark.parametrize(
    ("kind", "card"),
    [
        *((kind, "") for kind in ("another host", "this machine", "the folder above")),
        *(("this machine", card) for card in CARDS if card),
        ("this machine", ".huggingface.yaml"),
        ("a path with a scheme", ""),
        ("a folder of this machine", ""),
    ],
)
def test_a_card_that_sends_elsewhere_is_not_followed(root, ask, tmp_path, kind, card):
    """Rows come from the dataset at the hub that was asked, whatever its card says."""
    write_jsonl(tmp_path / "private.jsonl", REVIEWS)
    with HubServer(root) as server, HubServer(tmp_path) as stranger:
        target = {
            "another host": f"{stranger.url}/private.jsonl",
            "this machine": f"file://{tmp_path}/private.jsonl",
            "the folder above": "../../../../private.jsonl",
            "a path with a scheme": f"file:{tmp_path}/private.jsonl",
            "a folder of this machine": str(tmp_path),
        }[kind]
        datasets = root / "datasets" / "org" / "sent"
        write_jsonl(datasets / "other.jsonl", REVIEWS)
        files = f"data_files:\n  - {{split: train, path: {json.dumps(target)}}}"
        named = f"data_dir: {json.dumps(target)}" if kind.startswith("a folder") else files
        front = f"configs:\n- config_name: default\n  {named}\n"
        if card in CARDS:
            datasets.joinpath("README.md").write_text(CARDS[card].format(front))
        else:
            datasets.joinpath("README.md").write_text("A dataset.\n")
            datasets.joinpath(card).write_text(front)
        server.commit()
        place = {"repo": "org/sent", "split": "train"}
        (said,) = ask(server, ["rows", place, "en"])
        (folder,) = ask(server, ["rows", {**place, "repo": str(datasets)}, "en"])
        assert stranger.requests == []
    for one in (said, folder):
        assert f'sends to "{target}", which is no file of its own' in one["error"]
        assert "\n" not in one["error"]


def test_without_a_network_only_rows_of_the_pinned_commit_come_from_the_cache(root, ask):
    with HubServer(root) as server:
        old = server.head("datasets/org/nli")
        place = {"repo": "org/nli", "config": "de", "split": "test"}
        ask(server, ["rows", place | {"revision": old}, "de"])
        write_parquet(
            root / "datasets/org/nli/de/test-00000-of-00001.parquet",
            {"premise": ["later"], "hypothesis": ["later"], "label": [0]},
            NLI_CLASSES,
        )
        server.commit()
        ask(server, ["rows", place, "de"])  # the newest in the cache is not the pinned one
        server.requests.clear()
        calls = [
            ["rows", place | {"revision": old}, "de"],
            ["resolve", place | {"revision": old}, "de"],
            ["rows", place | {"revision": old, "config": "sw"}, "sw"],
            ["rows", place | {"revision": "0" * 40}, "de"],
            ["resolve", place, "de"],
        ]
        kept, pinned, config, commit, newest = ask(server, *calls, HF_HUB_OFFLINE="1")
        host = server.url.removeprefix("http://")
        assert server.requests == []
    assert kept["answer"] == listed(NLI["de/test"])
    assert pinned["answer"]["revision"] == old
    offline = f"{host} cannot be reached (OfflineModeIsEnabled): get online"
    for told, revision in ((config, old), (commit, "0" * 40)):
        start = (
            f'dataset "org/nli" at {revision[:7]} is not in the cache and {host} cannot be reached'
        )
        assert told["error"].startswith(start)
    assert newest["error"] == (
        f'the newest commit of "org/nli" is unknown because {offline}, '
        "or use --source microworld, generated rows, or pin its revision to a commit"
    )


def test_a_hub_that_does_not_answer(root, tmp_path):
    with HubServer(root) as server:
        pass
    calls = json.dumps([["resolve", {"repo": "org/nli", "split": "test"}, "de"]])
    done = run_client(CLIENT, calls, endpoint=server.url, cache=tmp_path / "cache")
    assert "cannot be reached (ConnectError): get online, or use --source microworld" in done.stdout


@pytest.mark.parametrize("mirror", ["", "/data"])
def test_a_hub_that_is_away_is_asked_once(root, tmp_path, mirror):
    """The library alone would ask six times in 23 seconds, and say so on stderr each time."""
    place = {"repo": "org/nli", "config": "de", "split": "test"}
    clients = {"cache": tmp_path / "cache", "XSTILTS_MIRROR": mirror}
    with HubServer(root) as server:
        place["revision"] = server.head("datasets/org/nli")
        calls = json.dumps([["rows", place, "de"]])
        before = run_client(CLIENT, calls, endpoint=server.url, **clients)
    away = run_client(CLIENT, calls, endpoint=server.url, **clients)
    cached = run_client(CLIENT, calls, endpoint=server.url, HF_HUB_OFFLINE="1", **clients)
    host = server.url.removeprefix("http://")
    use = ", or use --source " + ("mirror" if mirror else "microworld, generated rows")
    assert json.loads(away.stdout)["error"] == (
        f'dataset "org/nli" at {place["revision"][:7]}: {host} cannot be reached (ConnectError): '
        f"get online{use}, or set HF_HUB_OFFLINE=1 if it was read before"
    )
    assert away.stderr == ""
    assert cached.stdout == before.stdout  # as the error says


def test_a_folder_of_the_same_layout(root, ask, tmp_path):
    folder, moved = tmp_path / "org" / "nli", tmp_path / "moved" / "nli"
    shutil.copytree(root / "datasets/org/nli", folder)
    shutil.copytree(folder, moved)
    place = {"config": "{lang}", "split": "test"}
    here, there = place | {"repo": "./org/nli"}, place | {"repo": str(moved)}
    with HubServer(root) as server:
        calls = ["resolve", here, "sw"], ["rows", here, "sw"], ["resolve", there, "sw"]
        identity, rows, elsewhere = (one["answer"] for one in ask(server, *calls, cwd=tmp_path))
        assert server.requests == []
        changed = NLI["sw/test"] | {"label": [0, 0]}
        write_parquet(folder / "sw/test-00000-of-00001.parquet", changed, NLI_CLASSES)
        after = [one["answer"] for one in ask(server, *calls[:2], cwd=tmp_path)]
        on_hub = place | {"repo": "org/nli"}
        (hub_rows,) = ask(server, ["rows", on_hub, "sw"], cwd=tmp_path)
    assert identity == elsewhere
    assert identity["repo"] == "nli"
    assert rows == listed(NLI["sw/test"])
    assert after[0]["revision"] != identity["revision"]
    assert after[1] == listed(changed)
    assert hub_rows["answer"] == rows  # a folder of the same name does not stand in for the hub


def test_infer(root, ask):
    names = ("nli", "reviews", "pos", "qa", "choices", "numbers")
    with HubServer(root) as server:
        asked = ask(server, *(["infer", {"repo": f"org/{name}"}, ""] for name in names))
    nli, reviews, pos, qa, choices, numbers = (one["answer"] for one in asked)
    no_test = ["which is the evaluate split? train"]
    train = {"config": "default", "splits": {"train": "train"}}
    assert nli == {
        "config": "de",
        "splits": {"train": "train", "evaluate": "test"},
        "format": "classification",
        "fields": {"text_a": "premise", "text_b": "hypothesis", "label": "label"},
        "labels": {"0": "entailment", "1": "neutral", "2": "contradiction"},
        "unsure": ["which configuration? this is de, of: de, sw"],
    }
    assert reviews == train | {
        "format": "classification",
        "fields": {"text_a": "text", "label": "label"},
        "labels": {"bad": "bad", "good": "good"},
        "unsure": no_test,
    }
    assert (pos["format"], pos["fields"]) == ("tagging", {"words": "tokens", "tags": "pos_tags"})
    assert pos["labels"] == {"0": "ADJ", "1": "NOUN", "2": "VERB"}
    assert qa["format"] == "span"
    assert set(qa["fields"]) == {"context", "question", "answers"}
    assert choices == train | {
        "format": "multiple_choice",
        "fields": {"prompt": "question", "choices": "options", "label": "label"},
        "labels": {},
        "unsure": no_test,
    }
    assert numbers["format"] == ""
    assert numbers["unsure"][0] == "which format is it, and which columns are its fields? x"


def test_without_the_package_the_line_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    place = Hub(repo="org/nli", split="test", revision="0" * 40)
    for function in (hub.resolve, hub.rows):
        with pytest.raises(UserError, match=r'pip install "xstilts\[hub\]"'):
            function(place, "en")


def test_the_server_answers_ranges_of_bytes_listings_and_questions_about_paths(root):
    from huggingface_hub import HfApi, HfFileSystem

    path = "datasets/org/reviews/train.jsonl"
    with HubServer(root) as server:
        files = HfFileSystem(endpoint=server.url, token=False, skip_instance_cache=True)
        assert files.read_block(path, 2, 4) == (root / path).read_bytes()[2:6]
        assert files.ls("datasets/org/nli", detail=False) == [
            "datasets/org/nli/README.md",
            "datasets/org/nli/de",
            "datasets/org/nli/sw",
        ]
        api = HfApi(endpoint=server.url, token=False)
        asked = api.get_paths_info("org/nli", ["sw", "README.md", "nope"], repo_type="dataset")
        assert [entry.path for entry in asked] == ["sw", "README.md"]
        assert asked[1].size == len(NLI_CARD)


MODEL_CLIENT = """
import json, sys
from transformers import AutoModel, AutoTokenizer

repo, revision, text = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(repo, revision=revision)
model = AutoModel.from_pretrained(repo, revision=revision)
vectors = model.eval()(**tokenizer(text, return_tensors="pt")).last_hidden_state
print(json.dumps([tokenizer.tokenize(text), vectors[0].tolist()]))
"""


def test_transformers_loads_a_model_of_the_same_hub_at_a_revision(tmp_path):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    pieces = ["<s>", "<pad>", "</s>", "<unk>", "\u2581do", "gs", "\u2581bark", "\u2581", "<mask>"]
    raw = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, **{f"{name}_token": piece for name, piece in special.items()}
    )
    config = XLMRobertaConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=34,
    )
    torch.manual_seed(0)
    model = XLMRobertaModel(config).eval()
    folder = tmp_path / "hub" / "models" / "org" / "tiny"
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)

    with HubServer(tmp_path / "hub") as server:
        revision = server.head("models/org/tiny")
        (folder / "config.json").write_text("{}", encoding="utf-8")
        server.commit()
        arguments = ("org/tiny", revision, "dogs bark")
        done = run_client(MODEL_CLIENT, *arguments, endpoint=server.url, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    pieces, vectors = json.loads(done.stdout)
    assert pieces == ["\u2581do", "gs", "\u2581bark"]
    with torch.no_grad():
        expected = model(**tokenizer("dogs bark", return_tensors="pt")).last_hidden_state[0]
    torch.testing.assert_close(torch.tensor(vectors), expected)
    assert f"/org/tiny/resolve/{revision}/model.safetensors" in server.paths("GET")
    assert all(revision in path for path in server.paths())
