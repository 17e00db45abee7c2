"""What people send and what they get: recordings in files of every kind, made and read by ffmpeg."""
import functools
import io
import pathlib
import subprocess
import tempfile
import wave

from speech import speech

HZ = 16000
CODECS = {"webm": ["-c:a", "libopus", "-f", "webm"], "ogg": ["-c:a", "libopus", "-f", "ogg"], "mp3": ["-f", "mp3"],
          "m4a": ["-c:a", "aac", "-f", "ipod"], "flac": ["-f", "flac"]}
CONTENT_TYPES = {"wav": "audio/wav", "webm": "audio/webm", "ogg": "audio/ogg", "mp3": "audio/mpeg", "m4a": "audio/mp4", "flac": "audio/flac"}


def wav(pcm, hz=HZ):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(hz)
        out.writeframes(pcm)
    return file.getvalue()


@functools.lru_cache(maxsize=None)
def recording(kind="webm", text="저는 세 해 동안 서버를 만들었습니다."):
    """A person saying `text`, as a file of that kind."""
    pcm = speech(text, hz=HZ)
    if kind == "wav":
        return wav(pcm)
    # An M4A is finished at its front: that wants a file.
    with tempfile.TemporaryDirectory(prefix="repartee-recording-") as folder:
        path = pathlib.Path(folder) / f"speech.{kind}"
        made = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", str(HZ), "-ac", "1", "-i", "pipe:0", *CODECS[kind], str(path)]
        subprocess.run(made, input=pcm, check=True)
        return path.read_bytes()


def decoded(content, hz=24000):
    """Any file as PCM16 mono. Raises when there is anything wrong with it."""
    out = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", "pipe:0", "-f", "s16le", "-ar", str(hz), "-ac", "1", "pipe:1"], input=content,
                         capture_output=True)
    assert out.returncode == 0 and not out.stderr, out.stderr.decode()
    return out.stdout
