"""The work: pure functions from inputs to a folder. They know nothing of stores and engines."""

# Part of every step's identity. Raised by hand whenever a step's output changes for the same
# inputs; a golden test holds that.
CODE_VERSIONS = {
    "train": 1,
    "predict": 1,
    "score": 3,
    "probe": 1,
    "measure": 1,
    "pretrain": 2,
    "shards": 1,
}

# Files of steps that others read too; named here, where nothing heavy is imported.
PREDICTIONS = "predictions.parquet"
FEATURE_ARRAYS = "features.safetensors"
HEADS_INDEX = "heads.json"
