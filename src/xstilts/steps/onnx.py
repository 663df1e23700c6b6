"""From a padded module to ONNX files: fp32, or int8 by onnxruntime's dynamic quantisation."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xstilts.errors import UserError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from xstilts.model.padded import Padded

INSTALL = "pip install 'xstilts[onnx]'"
OUTPUT = "output"


def write(module: Padded, path: Path, *, int8: bool = False) -> None:
    """Export a module with dynamic batch and length.

    Args:
        module: in evaluation mode, on the CPU.
        path: the file, all weights in it (models beyond 2 GB keep them in a file beside it).
        int8: quantise weights of matrix products and embeddings, and activations as they come.

    Raises:
        UserError: if what the exporter needs is not installed, or it cannot take the architecture.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise UserError(f"exporting needs {error.name}: {INSTALL}") from None
    ids = torch.full((2, 7), 5)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    example = (ids, mask, torch.zeros_like(ids))[: len(module.inputs)]
    rows, length = torch.export.Dim("batch"), torch.export.Dim("length")
    with _quiet(), torch.inference_mode(mode=False), torch.no_grad():
        try:
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                input_names=list(module.inputs),
                output_names=[OUTPUT],
                dynamic_shapes={name: {0: rows, 1: length} for name in module.inputs},
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            line = first_line(error)
            kind = module.encoder.config.model_type
            raise UserError(f"{kind} cannot be exported to ONNX: {line:.200}") from error
        assert program is not None
        program.save(path)
    if int8:
        found = onnx.load(path)
        # The exporter's shapes of inner values contradict those that the quantiser infers.
        del found.graph.value_info[:]
        onnx.save(found, path)
        _quantise(path)


def _quantise(path: Path) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise UserError(f"int8 needs onnxruntime: {INSTALL}") from None
    with _quiet():
        quantize_dynamic(path, path, weight_type=QuantType.QInt8)


class Session:
    """An ONNX file that answers.

    Raises:
        UserError: if onnxruntime is not installed.
    """

    def __init__(self, path: Path, threads: int, device: str = "cpu") -> None:
        try:
            import onnxruntime
        except ImportError:
            raise UserError(f"this needs onnxruntime: {INSTALL}") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        provider = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise UserError(f"this onnxruntime has no {provider}: take the CPU, or onnxruntime-gpu")
        about = {} if device == "cpu" else {"device_id": int(device.partition(":")[2] or 0)}
        self._session = onnxruntime.InferenceSession(path, options, providers=[(provider, about)])
        if provider not in self._session.get_providers():  # it falls back without a word
            raise UserError(f"onnxruntime's {provider} does not start on {device}: take the CPU")
        self.inputs = tuple(one.name for one in self._session.get_inputs())

    def __call__(self, *arrays: NDArray[np.int64]) -> NDArray[np.float32]:
        """The output for ids, mask and segments, int64 ``[n, L]``; segments may be too many."""
        return self._session.run(None, dict(zip(self.inputs, arrays, strict=False)))[0]


def padded_arrays(
    ids: Sequence[NDArray[np.int32]], types: Sequence[NDArray[np.int8]], pad_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sequences of different length as ids, mask and segments, int64 ``[n, L]``."""
    lengths = [len(one) for one in ids]
    shape = len(ids), max(lengths)
    table = np.full(shape, pad_id, np.int64)
    mask, segments = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, length in enumerate(lengths):
        table[row, :length], segments[row, :length] = ids[row], types[row]
        mask[row, :length] = 1
    return table, mask, segments


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter and the quantiser warn of what nobody here can change."""
    levels: dict[Any, int] = {}
    for name in (None, "torch.onnx", "onnxscript", "onnx_ir"):
        logger = logging.getLogger(name)
        levels[logger] = logger.level
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
