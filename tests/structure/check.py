"""Holds the source tree to docs/architecture.md: which folder may include which, where the heavy templates stay, and the coroutine habit.

Usage: check.py SOURCE_ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])

# A folder may include itself and what stands below it here.
LAYERS = [
    {"app"},
    {"api"},
    {"relay", "engine", "voice"},
    {"providers", "upstream", "store", "net"},
    {"conversation", "realtime", "audio", "characters"},
    {"base"},
]
# Within a row only these; none of them makes a cycle.
SAME_ROW = {
    ("upstream", "net"), ("providers", "net"), ("conversation", "realtime"), ("conversation", "audio"), ("realtime", "audio"),
    ("voice", "engine"),
}
PURE = {"base", "audio", "realtime", "conversation", "characters"}
PURE_FILES = {
    "include/repartee/net/websocket_frame.hpp", "src/net/websocket_frame.cpp", "include/repartee/upstream/breaker.hpp", "src/upstream/breaker.cpp",
    "src/relay/event_journal.hpp", "src/relay/event_journal.cpp",
    "include/repartee/api/router.hpp", "src/api/router.cpp", "include/repartee/engine/realtime_server.hpp", "include/repartee/providers/messages.hpp",
}
for pure_folder, pure_names in {
    "net": ("url", "proxy", "text_lines", "sse", "multipart", "multipart_parse"),
    "engine": ("speech_pieces", "sentence_end", "spoken_text", "inline_text", "code_point", "emoji", "utterances", "chat_prompt"),
    "providers": ("text", "think_filter", "retry", "voices", "chat_json", "service_words"),
}.items():
    for pure_name in pure_names:
        PURE_FILES |= {f"include/repartee/{pure_folder}/{pure_name}.hpp", f"src/{pure_folder}/{pure_name}.hpp", f"src/{pure_folder}/{pure_name}.cpp"}

row_of = {folder: i for i, row in enumerate(LAYERS) for folder in row}
problems = []


def condition(code):
    """What stands in the parentheses of an if, while or switch on this line."""
    start = re.search(r"\b(?:if|while|switch)\s*\(", code)
    if not start:
        return ""
    depth = 1
    for i in range(start.end(), len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return code[start.end():i]
    return code[start.end():]


def sources():
    for base in ("include/repartee", "src"):
        for path in sorted((root / base).rglob("*.[ch]pp")):
            yield path, path.relative_to(root).as_posix(), path.relative_to(root / base).parts[0]


for path, name, folder in sources():
    text = path.read_text()
    if folder not in row_of:
        if name != "src/main.cpp":
            problems.append(f"{name}: folder '{folder}' is not in the layers")
        continue
    includes = re.findall(r'#include\s+["<]([^">]+)[">]', text)
    for include in includes:
        match = re.match(r"repartee/(\w+)/", include)
        if match and match[1] != folder:
            other = match[1]
            if row_of[other] < row_of[folder] or (row_of[other] == row_of[folder] and (folder, other) not in SAME_ROW):
                problems.append(f"{name}: {folder}/ may not include {other}/ ({include})")
        if re.match(r"boost/(beast|asio/ssl)", include) and folder != "net":
            problems.append(f"{name}: only net/ includes {include}")
        pure = folder in PURE or name in PURE_FILES or name.startswith("src/engine/realtime/")
        if pure and re.match(r"(boost/(asio|beast)|sqlite3)", include):
            problems.append(f"{name}: pure code includes {include}")

    # GCC 12 miscompiles captures by value, braces and ?: in one expression with co_await: a co_await stands alone.
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0]
        if "co_await" not in code:
            continue
        after = code.split("co_await", 1)[1]
        if "co_await" in condition(code):
            problems.append(f"{name}:{number}: co_await in a condition: name the result first")
        if re.search(r"\[[=\w]", after) and "](" in after.replace(" ", ""):
            problems.append(f"{name}:{number}: a capturing lambda beside co_await: name it first")
        if re.search(r"[(,]\s*\w*\{[^}]", after) or " ? " in code:
            problems.append(f"{name}:{number}: braces or ?: beside co_await: name the value first")

if problems:
    print("\n".join(problems))
    sys.exit(1)
print("structure: layers, purity and coroutine habit hold")
