"""The graph of all-MiniLM-L6-v2 for ONNX Runtime, made from the package's weights without torch.

The network is BERT with 6 layers, 12 heads and 384 numbers per token, written with ONNX Runtime's own
fused operators (``com.microsoft``), then the mean over the tokens and the L2 norm.  The graph has one
input, ``ids`` (int32, [texts, tokens]), and one output, ``vectors`` (float32, [texts, 384]).

It knows no padding: all texts of one call have the same number of tokens.  ``minilm.py`` groups them so,
because padding changes the last bits of a vector, and a vector must not depend on its neighbours.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import ModelProto

GRAPH_VERSION = 1
"""Raise it with every change that can change a bit of a vector: it is part of the ledger's keys."""

LAYERS, HEADS, WIDTH = 6, 12, 384
MICROSOFT = "com.microsoft"
# ONNX Runtime's default is 1e-5 in some releases; BERT was trained with this one.
EPSILON = 1e-12


def build_graph(weights: Mapping[str, np.ndarray]) -> ModelProto:
    """Write the network as an ONNX model.

    Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md

    Args:
        weights: the tensors of ``model.safetensors`` by name, float32.

    Returns:
        A model that maps ``ids`` [texts, tokens] to ``vectors`` [texts, 384] of length 1.

    Raises:
        KeyError: a tensor of the network is not among the weights.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    tensors: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(name: str) -> str:
        return constant(name, weights[name])

    def transposed(name: str) -> str:
        return constant(name, weights[name].T)  # torch keeps [out, in], MatMul wants [in, out]

    def apply(operator: str, inputs: list[str], output: str, domain: str = "", **settings: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **settings))
        return output

    def add_and_normalise(added: str, skip: str, bias: str, norm: str, output: str) -> str:
        inputs = [added, skip, weight(f"{norm}.weight"), weight(f"{norm}.bias"), weight(bias)]
        return apply("SkipLayerNormalization", inputs, output, MICROSOFT, epsilon=EPSILON)

    # Every token is of segment 0, so that segment's one vector is added to all positions here and now.
    positions = weights["embeddings.position_embeddings.weight"]
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    inputs = [
        "ids",
        "",
        weight("embeddings.word_embeddings.weight"),
        constant("positions", positions + segment),
    ]
    inputs += ["", weight("embeddings.LayerNorm.weight"), weight("embeddings.LayerNorm.bias")]
    # The second output, a mask index, is required by the operator and used by nobody.
    settings: dict[str, Any] = {"domain": MICROSOFT, "epsilon": EPSILON}
    nodes.append(helper.make_node("EmbedLayerNormalization", inputs, ["hidden", "mask_index"], **settings))

    hidden = "hidden"
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        fused = constant(f"{layer}.qkv", np.concatenate([weights[f"{p}.weight"].T for p in parts], axis=1))
        fused_bias = constant(f"{layer}.qkv_bias", np.concatenate([weights[f"{p}.bias"] for p in parts]))
        seen = apply("Attention", [hidden, fused, fused_bias], f"{layer}.seen", MICROSOFT, num_heads=HEADS)

        out = f"{layer}.attention.output"
        told = apply("MatMul", [seen, transposed(f"{out}.dense.weight")], f"{layer}.told")
        middle = add_and_normalise(told, hidden, f"{out}.dense.bias", f"{out}.LayerNorm", f"{layer}.middle")

        grow, shrink = f"{layer}.intermediate.dense", f"{layer}.output.dense"
        wide = apply("MatMul", [middle, transposed(f"{grow}.weight")], f"{layer}.wide")
        bent = apply("BiasGelu", [wide, weight(f"{grow}.bias")], f"{layer}.bent", MICROSOFT)
        narrow = apply("MatMul", [bent, transposed(f"{shrink}.weight")], f"{layer}.narrow")
        hidden = add_and_normalise(
            narrow, middle, f"{shrink}.bias", f"{layer}.output.LayerNorm", f"{layer}.hidden"
        )

    # The mean over the tokens, up to a factor that the norm takes away.  Not ReduceMean: its order of
    # summation depends on how many texts are in the call, and so the last bits of the vectors (measured).
    apply("Shape", ["ids"], "tokens", start=1)
    apply("Concat", [constant("one", np.array([1])), "tokens"], "row", axis=0)
    apply("ConstantOfShape", ["row"], "ones", value=numpy_helper.from_array(np.ones(1, np.float32)))
    apply("MatMul", ["ones", hidden], "sums")
    apply("Squeeze", ["sums", constant("token_axis", np.array([1]))], "sum")
    apply("LpNormalization", ["sum"], "vectors", axis=-1, p=2)

    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["texts", "tokens"])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])
    graph = helper.make_graph(nodes, "all-MiniLM-L6-v2", [ids], [vectors], tensors)
    # Not the newest numbers that onnx knows, but those that ONNX Runtime 1.20 reads.
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def save_graph(weights_file: Path, target: Path) -> None:
    """Build the graph from a safetensors file and write it, whole or not at all.

    Processes that build it at once each write their own file; the last rename wins, with equal bytes.

    Args:
        weights_file: ``model.safetensors`` of all-MiniLM-L6-v2.
        target: the ONNX file to write (91 MB); its folder is made if it is missing.

    Raises:
        OSError: the folder cannot be written.
    """
    from safetensors.numpy import load_file

    graph = build_graph(load_file(weights_file)).SerializeToString()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(graph)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp's 0600 would lock other users out of a shared cache
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
