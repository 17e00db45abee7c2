#!/bin/sh
# OpenAI's own JavaScript clients against the server.
#   run.sh BUILD_DIR BINARY
# Exit status: 0 all passed, 1 something failed, 77 skipped because the packages cannot be fetched from here.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: $0 BUILD_DIR BINARY" >&2
    exit 1
fi
source_dir=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/clients"
work=$(cd "$1/clients" && pwd)
binary=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
[ -x "$binary" ] || { echo "There is no program $binary: build it first." >&2; exit 1; }

# What the surroundings set must reach neither the server nor the clients.
for name in $(env | sed -n 's/^\(REPARTEE_[A-Za-z0-9_]*\|OPENAI_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done

# ── the packages ─────────────────────────────────────────────────────────────────────────────────────────────────────

if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo "SKIPPED: npm is not installed (Node.js 18 or newer brings it), so OpenAI's packages cannot be fetched."
    exit 77
fi
cp "$source_dir"/package.json "$source_dir"/*.mjs "$work"
cd "$work"
if ! npm install --no-package-lock --no-audit --no-fund --fetch-retries=1 --fetch-retry-mintimeout=2000 >install.log 2>&1; then
    cat install.log >&2
    unreachable='ENOTFOUND|EAI_AGAIN|EAI_FAIL|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EIDLETIMEOUT'
    if grep -Eq "$unreachable" install.log; then
        echo "SKIPPED: the npm registry cannot be reached from here, so OpenAI's packages cannot be fetched."
        exit 77
    fi
    echo "FAILED: npm install went wrong, though its registry answers (see above)." >&2
    exit 1
fi

# ── the server ───────────────────────────────────────────────────────────────────────────────────────────────────────

# A voice that, after a sentence with this word in it, waits until it is stopped: a reply to interrupt.
rm -rf data release printed
mkfifo release printed
cat >held-voice <<EOF
#!/bin/sh
text=\$(cat)
printf %s "\$text" | espeak-ng "\$@"
case "\$text" in *잠깐만*) read released < "$work/release";; esac
EOF
chmod +x held-voice

REPARTEE_SERVER__API_KEYS=test-key "$binary" serve --listen 127.0.0.1:0 --tls-listen localhost:0 --data-dir "$work/data" \
    --set "local.espeak_program=$work/held-voice" --set local.speech_limit_ms=600000 >printed 2>server.log &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM
exec 3<printed
CLIENTS_BASE=
while [ -z "$CLIENTS_BASE" ] && read -r line <&3; do
    CLIENTS_BASE=$(echo "$line" | sed -n 's|.*listens on https://\([^/]*\)/.*|\1|p')
done
if [ -z "$CLIENTS_BASE" ]; then
    cat server.log >&2
    echo "FAILED: the server did not start (see above)." >&2
    exit 1
fi

# ── the tests ────────────────────────────────────────────────────────────────────────────────────────────────────────

status=0
CLIENTS_BASE=$CLIENTS_BASE CLIENTS_KEY=test-key CLIENTS_VOICE=sage NODE_EXTRA_CA_CERTS="$work/data/tls/cert.pem" \
    node --test openai.test.mjs agents.test.mjs || status=1

trap - EXIT
kill "$server"
if ! wait "$server"; then
    echo "FAILED: the server did not end well." >&2
    status=1
fi
[ "$status" -eq 0 ] || cat server.log >&2
exit "$status"
