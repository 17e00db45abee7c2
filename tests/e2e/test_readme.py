"""The README's client, run as a newcomer would."""
import pathlib
import re
import subprocess
import sys
import wave

from speech import rms

README = pathlib.Path(__file__).parents[2] / "README.md"


def test_the_python_client_of_the_readme_talks(local, tmp_path):
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.S)[1]
    (tmp_path / "talk.py").write_text(code)
    subprocess.run(["espeak-ng", "-v", "ko", "-w", tmp_path / "question.wav", "요즘 잠을 잘 못 자요."], check=True)
    said = subprocess.run([sys.executable, "talk.py", local.ws_url, "question.wav", "answer.wav"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert len(said.stdout) > 10
    with wave.open(str(tmp_path / "answer.wav")) as file:
        assert file.getframerate() == 24000
        pcm = file.readframes(2**30)
    assert len(pcm) > 24000 * 2
    assert rms(pcm) > 300
