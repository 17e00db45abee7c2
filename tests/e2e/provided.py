"""Servers whose ears, brain and voice are the stand-ins'."""
import repartee

API_KEY = "sk-stand-in-5up3r-53cr37"
MODEL = "stand-in-chat"
SECTION_OF_A_ROLE = {"stt": {}, "llm": {"model": MODEL}, "tts": {}}
# One worker: connections and what is known of a failed provider belong to a worker.
ALWAYS = {"server": {"threads": 1}, "realtime": {"upstream": "local"}}


def settings(openai, **sections):
    """All three roles at `openai`; `sections` has what a test wants otherwise, and may name any section."""
    merged = {section: {"provider": "openai", "url": openai.base, "api_key": API_KEY, **more} for section, more in SECTION_OF_A_ROLE.items()}
    merged.update({section: dict(members) for section, members in ALWAYS.items()})
    for section, members in sections.items():
        merged[section] = {**merged.get(section, {}), **members}
    return repartee.settings(**merged)


def serve(openai, *arguments, environment=None, **sections):
    """A server to be entered with `with`. data_dir and other words of repartee.Server: by `server_words`."""
    server_words = sections.pop("server_words", {})
    return repartee.Server(*arguments, environment={**settings(openai, **sections), **(environment or {})}, **server_words)
