"""Makes sure that the programs exist: builds them, fetches the Node relay's package, and names the command when something is missing."""
import pathlib
import shutil
import subprocess

from .programs import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/bench"
TARGETS = ("repartee", "repartee-bench-load", "repartee-bench-upstream", "repartee-bench-micro")
OPTIONAL = ("repartee-bench-micro",)
SETUP = "scripts/setup --bench"
BUILD_LIMIT_S = 3600


def check_tools():
    missing = [name for name in ("taskset", "setpriv", "openssl", "cc") if not shutil.which(name)]
    if missing:
        raise Failed(f"Missing: {', '.join(missing)}. They come with: {SETUP}")


def build(note):
    """Builds the release binary and the benchmark programs; quick when nothing has changed."""
    if not (shutil.which("cmake") and shutil.which("ninja")):
        raise Failed(f"cmake or ninja is missing. They come with: {SETUP}")
    for command in (["cmake", "--preset", "bench"], ["ninja", "-C", str(BUILD), *TARGETS]):
        note("$ " + " ".join(command))
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_LIMIT_S)
        if done.returncode:
            raise Failed(f"{' '.join(command)} failed. Is everything installed? {SETUP}\n{done.stdout[-3000:]}")
    return BUILD


def find_programs(folder):
    """{name: path} of the programs below a folder."""
    found = {}
    for name in TARGETS:
        paths = [path for path in sorted(pathlib.Path(folder).rglob(name)) if path.is_file()]
        if paths:
            found[name] = paths[0]
        elif name not in OPTIONAL:
            raise Failed(f"There is no program {name} below {folder}.")
    return found


def install_node_relay():
    """The Node relay with its one package, in a folder that is kept. Returns the folder."""
    source, place = ROOT / "bench/proxies/node", BUILD / "node"
    place.mkdir(parents=True, exist_ok=True)
    fresh = all((place / file.name).exists() and (place / file.name).read_bytes() == file.read_bytes() for file in source.iterdir())
    if fresh and (place / "node_modules/ws/package.json").exists():
        return place
    for file in source.iterdir():
        shutil.copy(file, place)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise Failed(f"npm could not install the Node relay's package ws.\n{done.stderr[-1000:]}")
    return place
