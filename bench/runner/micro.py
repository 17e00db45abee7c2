"""Base64 against memcpy, by the micro-benchmarks' program."""
import json
import subprocess

from .programs import Failed

LIMIT_S = 120
PLANNED_S = 4


def base64(bench, _contestant, setting, _progress):
    """Bytes of PCM a second of each kernel and of memcpy, from the L2 cache, and the ratio for the kernel that this machine gets."""
    if not bench.micro:
        raise Failed("There is no program repartee-bench-micro.")
    size = setting["bytes"]
    folder = bench.step_folder("micro")
    command = ["taskset", "-c", str(bench.cpus[1]), str(bench.micro), f"--benchmark_filter=^(memcpy|encode|decode)/.*L2/{size}$", "--benchmark_min_time=0.1",
               f"--benchmark_out={folder / 'out.json'}", "--benchmark_out_format=json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise Failed(f"repartee-bench-micro ended with status {done.returncode}\n{done.stderr[-800:]}")
    rates = {}
    for found in json.loads((folder / "out.json").read_text())["benchmarks"]:
        rates[found["name"].removesuffix(f"/L2/{size}")] = found["bytes_per_second"] / 1e9
    return {"gb_a_second": rates, "encode_of_memcpy": _best(rates, "encode") / rates["memcpy"], "decode_of_memcpy": _best(rates, "decode") / rates["memcpy"]}


def _best(rates, work):
    """The fastest of our kernels that runs here is the one that is chosen at start."""
    return max(rate for name, rate in rates.items() if name.startswith(f"{work}/") and not name.endswith("/openssl"))
