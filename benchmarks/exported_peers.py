"""The exported C beside llama2.c, and the exported page's JavaScript beside the C as WebAssembly.

    python benchmarks/exported_peers.py --rounds 5 --json -- [RUN.C]

RUN.C is the file of that name of github.com/karpathy/llama2.c, a well-known transformer in one C
file. Its model gets as many weights: the same width, heads, blocks, positions and tokens, and an
MLP of three matrices, 8/3 as wide as the model instead of 4. JavaScript is `worker.js` in Node,
whose engine is Chromium's; WebAssembly is teenygpt.c, compiled by clang with vectors of 128 bits.
All weights are random and float32, and every text is as long as the context. Needs gcc; node, clang
and wasm-ld for the lower two rows.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sides
from exported import in_c, loaded, made

_STRICT = ["-std=c99", "-O3", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno"]
_LLAMA = r"""
#define TESTING
#include "run.c"

int main(void) {
    Transformer transformer;
    build_transformer(&transformer, MODEL);
    Sampler sampler;
    build_sampler(&sampler, transformer.config.vocab_size, 1.0f, 1.0f, 7);
    long count = 0;
    const clock_t start = clock();
    do {
        int token = 1;
        for (int t = 0; t < transformer.config.seq_len - 1; t++, count++)
            token = sample(&sampler, forward(&transformer, token, t));
    } while (clock() - start < 2 * CLOCKS_PER_SEC);
    printf("%ld tokens/s\n", (long)(count * CLOCKS_PER_SEC / (clock() - start)));
    return 0;
}
"""
_WASM = r"""
#include "teenygpt.h"

static struct teenygpt model;

void write_text(uint32_t seed) {
    int32_t token = TEENYGPT_BEGIN;
    teenygpt_start(&model, seed);
    for (int32_t t = 0; t < TEENYGPT_TOKENS - 1; t++) {
        teenygpt_step(&model, token);
        token = teenygpt_choose(&model, 1.0f, 0);
    }
}
"""
# The two headers that teenygpt.c reads, for a target without a C library.
_HEADERS = {
    "math.h": "float sqrtf(float);\n",
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\n"
    "void *memmove(void *, const void *, size_t);\nvoid *memset(void *, int, size_t);\n",
}
_TIMED = r"""
const started = performance.now()
let texts = 0
while (performance.now() - started < 2000) writeText(texts++)
console.log(texts * TOKENS / (performance.now() - started) * 1000)
"""


def llama2(source: Path, run: Any, folder: Path) -> str:
    """Compile llama2.c for a model of like size; the program."""
    import numpy as np

    folder.mkdir()
    config = run.config
    D, L, T, V = config.num_emb, config.num_blocks, config.num_tokens, run.model.num_token_vals
    hidden, size = 8 * D // 3, D // config.num_heads
    heads = config.num_heads
    counts = [V * D, L * D, *[L * D * D] * 4, L * D, *[L * D * hidden] * 3, D, T * size]
    weights = 0.1 * np.random.default_rng(0).standard_normal(sum(counts), dtype=np.float32)
    header = np.array([D, hidden, L, heads, heads, V, T], np.int32)
    (folder / "model.bin").write_bytes(header.tobytes() + weights.tobytes())
    shutil.copyfile(source, folder / "run.c")
    model = json.dumps(str(folder / "model.bin"))
    (folder / "speed.c").write_text(f"#define MODEL {model}\n{_LLAMA}", encoding="utf-8")
    command = ["gcc", "-Ofast", "-march=native", "-w", "speed.c", "-o", "speed", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return str(folder / "speed")


def in_node(script: str) -> float:
    """Tokens/s of a script that prints them."""
    done = subprocess.run(["node", script], check=True, capture_output=True, encoding="ascii")
    return float(done.stdout)


def javascript(run: Any, folder: Path) -> str:
    """A script with the page's worker that writes texts."""
    from teenygpt_np.exporter import page

    [content] = page.files(run, "int8").values()
    start = content.index(b">", content.index(b'type="application/json"')) + 1
    data = json.loads(content[start : content.index(b"</script>", start)])
    model = json.dumps({**data["model"], "weights": data["weights"]})
    script = f"""
globalThis.postMessage = () => {{}}
{data["worker"]}
model = loaded({model})
const TOKENS = model.most - 1
function writeText(seed) {{
  const random = generator(seed)
  restart(0)
  next({data["begin"][0]})
  for (let t = 1; t < TOKENS; t++) next(choose(scores, 1, 0, random()))
}}
{_TIMED}"""
    path = folder / "page.js"
    path.write_text(script, encoding="utf-8")
    return str(path)


def webassembly(run: Any, folder: Path) -> str:
    """A script with the exported C as WebAssembly that writes texts."""
    from teenygpt_np.exporter import c

    for name in ("teenygpt.c", "teenygpt.h", "weights.h"):
        (folder / name).write_bytes(c.files(run, "float32")[name])
    for name, text in (_HEADERS | {"wasm.c": _WASM}).items():
        (folder / name).write_text(text, encoding="utf-8")
    flags = ["--target=wasm32", *_STRICT, "-msimd128", "-mbulk-memory", "-nostdlib", "-I."]
    linked = ["-Wl,--no-entry", "-Wl,--export=write_text", "-o", "page.wasm"]
    command = ["clang", *flags, "wasm.c", "teenygpt.c", *linked]
    subprocess.run(command, cwd=folder, check=True)
    path = folder / "wasm.js"
    path.write_text(
        f"""
const TOKENS = {run.config.num_tokens - 1}
const code = require('fs').readFileSync({json.dumps(str(folder / "page.wasm"))})
const writeText = new WebAssembly.Instance(new WebAssembly.Module(code)).exports.write_text
{_TIMED}""",
        encoding="utf-8",
    )
    return str(path)


def main() -> None:
    """Print a table in Markdown."""
    args = sides.arguments(__doc__, rounds=3, others="run.c of llama2.c")
    run = loaded("", args.short)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks: dict[str, sides.Task] = {"C": (in_c, made(run, folder / "c", "float32"))}
        if args.others:
            source = Path(args.others[0])
            tasks["llama2.c"] = (in_c, llama2(source, run, folder / "llama2"))
        if shutil.which("node"):
            tasks["JavaScript"] = (in_node, javascript(run, folder))
        if shutil.which("node") and shutil.which("clang") and shutil.which("wasm-ld"):
            tasks["WebAssembly"] = (in_node, webassembly(run, folder))
        print(f"{run.model.num_parameters():,} parameters", file=sys.stderr)
        rates, _ = sides.alternate("one text after the other", tasks, args.rounds)
    rows = [
        {
            "float32": name,
            "tokens/s": sides.median(found),
            "of the C": sides.median_ratio(found, rates["C"]),
        }
        for name, found in rates.items()
    ]
    sides.report(args, exported_peers=rows)


if __name__ == "__main__":
    main()
