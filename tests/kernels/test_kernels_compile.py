"""Every Triton kernel compiles to machine code for Hopper, with the types and options it is launched with, no GPU."""

import importlib

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed: no kernel can be compiled ahead of time")

HALF, INT64, F32 = "*bf16", "*i64", "*fp32"


def rows(**options):
    fixed = {"SOFTCAP": False, "SMOOTHING": False, "FORWARD": True, "GRADIENT": True, "BLOCK": 4096}
    return ("cross_entropy", "rows_kernel", [HALF, INT64, F32, F32, F32, "i32", "i32", "fp32", "fp32"], fixed | options)


def norm(name, **options):
    pointers = {"forward_kernel": [*[HALF] * 5, F32], "backward_kernel": [*[HALF] * 4, F32, HALF, F32]}[name]
    numbers = ["i32", "i32", "fp32"] if name == "forward_kernel" else ["i32"] * 4
    return ("rms_norm", name, [*pointers, *numbers], {"RESIDUAL": True, "BLOCK": 8192} | options)


KERNELS = {
    "pack": (
        "pack_rows",
        "pack_kernel",
        ["*i32", "*u8", INT64, INT64, F32, "*i32", INT64, INT64, INT64, F32, "*i32", "i32", "i32", "i32"],
        {"IGNORED": -100, "SEARCH_STEPS": 11, "BLOCK": 1024},
    ),
    "pack into int32": (
        "pack_rows",
        "pack_kernel",
        ["*i32", "*u8", INT64, INT64, F32, "*i32", "*i32", "*i32", "*i32", F32, "*i32", "i32", "i32", "i32"],
        {"IGNORED": -100, "SEARCH_STEPS": 4, "BLOCK": 1024},
    ),
    "loss and gradient": rows(),
    "loss alone": rows(GRADIENT=False),
    "gradient alone": rows(FORWARD=False),
    "capped and smoothed": rows(SOFTCAP=True, SMOOTHING=True),
    "norm": norm("forward_kernel", RESIDUAL=False),
    "norm of a sum": norm("forward_kernel"),
    "norm backward": norm("backward_kernel"),
    "gate": ("swiglu", "forward_kernel", [HALF] * 3 + ["i32"], {"BLOCK": 4096}),
    "gate backward": ("swiglu", "backward_kernel", [HALF] * 5 + ["i32"], {"BLOCK": 4096}),
    "rotary": (
        "rope",
        "rope_kernel",
        [HALF, HALF, INT64, F32, F32, HALF, HALF, *["i32"] * 7],
        {"BACKWARD": False, "QUERY_HEADS": 64, "KEY_HEADS": 8, "HALF": 64},
    ),
    "best match": (
        "top1",
        "top1_kernel",
        [HALF, HALF, F32, "*i32", *["i32"] * 4],
        {"BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64, "WIDEN": False},
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_compiles_for_hopper_without_a_gpu(name, monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")  # the default so far; Triton 3.9 warns where it is not said
    file, kernel, types, options = KERNELS[name]
    function = getattr(importlib.import_module(f"reasonmill.kernels.gpu.{file}"), kernel)
    names = function.arg_names
    source = triton.compiler.ASTSource(
        fn=function,
        signature=dict(zip(names, types, strict=False)) | dict.fromkeys(options, "constexpr"),
        constexprs={(names.index(option),): value for option, value in options.items()},
        # Triton does the same at a launch for addresses and sizes that 16 divides
        attrs={(place,): [["tt.divisibility", 16]] for place, kind in enumerate(types) if kind.startswith("*")},
    )
    compiled = triton.compile(
        source, target=triton.backends.compiler.GPUTarget("cuda", 90, 32), options={"num_warps": 8, "num_stages": 3}
    )
    assert compiled.asm["cubin"][:4] == b"\x7fELF"
    assert ".target sm_90" in compiled.asm["ptx"]
    assert compiled.metadata.shared <= 227 * 1024, "more shared memory than a multiprocessor of an H100 gives a program"
    if name == "best match":
        assert "wgmma.mma_async" in compiled.asm["ptx"], "the tensor cores' own instruction of this generation"
