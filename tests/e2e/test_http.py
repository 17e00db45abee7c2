"""The REST face, the verbs, and what a newcomer meets first."""
import re
import sqlite3
import subprocess

import pytest

import repartee

IDS = ["choi_hyunwoo", "jung_yujin", "lee_soojin", "oh_kyungmi", "park_eunseo", "park_jihoon"]


def test_the_six_characters_without_their_prompts(local):
    status, answer = local.get_json("/api/v1/characters")
    assert status == 200
    assert sorted(c["id"] for c in answer["characters"]) == IDS
    for character in answer["characters"]:
        assert "system_prompt" not in character
        assert character["introduction_text"]
    status, one = local.get_json("/api/v1/characters/choi_hyunwoo")
    assert (status, one["name"], one["openai_voice"]) == (200, "최현우", "echo")
    assert "system_prompt" not in one


def test_an_unknown_character(local):
    for path in ("", "/introduction"):
        status, answer = local.get_json(f"/api/v1/characters/nobody{path}")
        assert (status, answer["detail"]) == (404, "Character not found")


def test_unknown_paths_and_verbs(local):
    assert local.get("/nowhere")[0] == 404
    status, headers, _ = local.get("/api/v1/characters", method="DELETE")
    assert status == 405
    assert headers["Allow"] == "GET, HEAD"


def test_root_answers_clients_with_json_and_browsers_with_a_page(local):
    status, answer = local.get_json("/")
    assert status == 200 and answer["message"]
    status, headers, page = local.get("/", headers={"Accept": "text/html,*/*"})
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"<html" in page


def test_health_readiness_and_metrics(local):
    assert local.get_json("/health")[1]["status"] == "healthy"
    assert local.get("/healthz")[0] == 200
    assert local.get("/readyz")[0] == 200
    status, headers, body = local.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = body.decode()
    assert re.search(r"^repartee_sessions_active 0$", text, re.M)
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? [0-9.e+-]+(Inf|NaN)?', line), line


def test_the_database_is_wal_and_holds_the_characters():
    with repartee.Server() as server:
        database = sqlite3.connect(f"file:{server.data_dir}/repartee.db?mode=ro", uri=True)
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        rows = database.execute("SELECT id, name, openai_voice, system_prompt FROM ai_characters ORDER BY id").fetchall()
        assert [row[0] for row in rows] == IDS
        assert all(row[3] for row in rows)
        database.close()


@pytest.fixture(scope="module")
def introduced():
    """A server whose introductions have been made."""
    with repartee.Server() as server:
        made = repartee.run("introductions", "--data-dir", str(server.data_dir), timeout=300)
        assert made.returncode == 0, made.stdout + made.stderr
        server.progress = made.stdout
        # The running server sees by itself that they have come.
        repartee.eventually(lambda: server.get_json("/api/v1/characters/park_jihoon/introduction")[1]["audio_url"])
        yield server


def test_introductions_are_real_mp3_files(introduced):
    assert "6/6" in introduced.progress
    for character in IDS:
        status, answer = introduced.get_json(f"/api/v1/characters/{character}/introduction")
        assert status == 200
        assert answer["character_id"] == character
        assert answer["audio_url"] == f"/static/audio/{character}_intro.mp3"
        status, headers, mp3 = introduced.get(answer["audio_url"])
        assert (status, headers["Content-Type"]) == (200, "audio/mpeg")
        assert mp3[:2] == b"\xff\xf3" or mp3[:2] == b"\xff\xfb" or mp3[:3] == b"ID3"
        assert len(mp3) > 20_000


def test_introductions_are_not_made_twice(introduced):
    again = repartee.run("introductions", "--data-dir", str(introduced.data_dir))
    assert again.returncode == 0
    before = (introduced.data_dir / "audio" / "park_jihoon_intro.mp3").stat().st_mtime_ns
    repartee.run("introductions", "--data-dir", str(introduced.data_dir))
    assert (introduced.data_dir / "audio" / "park_jihoon_intro.mp3").stat().st_mtime_ns == before


def test_ranges_and_etags(introduced):
    path = "/static/audio/park_jihoon_intro.mp3"
    _, headers, whole = introduced.get(path)
    etag = headers["ETag"]
    assert headers["Accept-Ranges"] == "bytes"
    for given, status, content_range, body in [
        ("bytes=0-99", 206, f"bytes 0-99/{len(whole)}", whole[:100]),
        ("bytes=100-", 206, f"bytes 100-{len(whole) - 1}/{len(whole)}", whole[100:]),
        ("bytes=-10", 206, f"bytes {len(whole) - 10}-{len(whole) - 1}/{len(whole)}", whole[-10:]),
        ("bytes=5-2", 200, None, whole),
        ("bytes=0-1,4-5", 200, None, whole),
        (f"bytes={len(whole)}-", 416, f"bytes */{len(whole)}", b""),
    ]:
        got, answer, content = introduced.get(path, headers={"Range": given})
        assert (got, answer["Content-Range"], content) == (status, content_range, body), given
    assert introduced.get(path, headers={"If-None-Match": etag})[0] == 304
    assert introduced.get(path, headers={"Range": "bytes=0-9", "If-Range": '"old"'})[0] == 200
    status, headers, body = introduced.get(path, method="HEAD")
    assert (status, int(headers["Content-Length"]), body) == (200, len(whole), b"")


def test_an_introduction_that_was_not_made(local):
    status, answer = local.get_json("/static/audio/park_jihoon_intro.mp3")
    assert status == 404
    assert "repartee introductions" in answer["error"]["message"]
    assert local.get("/static/audio/..%2f..%2fetc%2fpasswd_intro.mp3")[0] == 404


def test_verbs_and_help():
    assert repartee.run("version").stdout.startswith("repartee ")
    for verb in ("serve", "check", "introductions", "version"):
        shown = repartee.run(verb, "--help")
        assert shown.returncode == 0 and verb in shown.stdout
    assert repartee.run("dance").returncode == 2


def test_check_prints_the_effective_configuration_without_secrets():
    shown = repartee.run("check", "--listen", "127.0.0.1:9001", environment={"OPENAI_API_KEY": "sk-very-secret", "REPARTEE_REALTIME__MODEL": "gpt-x"})
    assert shown.returncode == 0
    assert 'listen = "127.0.0.1:9001"' in shown.stdout
    assert 'model = "gpt-x"' in shown.stdout
    assert "sk-very-secret" not in shown.stdout + shown.stderr


@pytest.mark.parametrize("environment, words", [
    ({"REPARTEE_SERVER__LISTN": "x"}, ["REPARTEE_SERVER__LISTN", "LISTEN"]),
    ({"REPARTEE_SERVER__SESSIONS_MAX": "-1"}, ["sessions_max"]),
    ({"REPARTEE_REALTIME__UPSTREAM": "skynet"}, ["upstream", "local"]),
    ({"REPARTEE_REALTIME__API_KEY_FILE": "/nonexistent/key"}, ["/nonexistent/key"]),
])
def test_a_wrong_setting_is_named_with_its_mend(environment, words):
    shown = repartee.run("check", environment=environment)
    assert shown.returncode == 2
    for word in words:
        assert word in shown.stderr, shown.stderr


def test_a_wrong_key_in_the_file_names_the_nearest(tmp_path):
    file = tmp_path / "repartee.toml"
    file.write_text('[server]\nlistten = "127.0.0.1:1"\n')
    shown = repartee.run("check", "--config", str(file))
    assert shown.returncode == 2
    assert "listten" in shown.stderr and "server.listen" in shown.stderr and ":2" in shown.stderr


def test_a_port_in_use_is_said_clearly(local):
    port = local.url.rsplit(":", 1)[1]
    shown = subprocess.run([repartee.BINARY, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(local.data_dir) + "2"],
                           env=repartee.clean_environment(), capture_output=True, text=True, timeout=60)
    assert shown.returncode == 1
    assert port in shown.stderr and "in use" in shown.stderr


def test_models_are_listed(local):
    status, models = local.get_json("/v1/models")
    assert status == 200
    assert [m["id"] for m in models["data"]] == ["repartee-local"]
