"""Speech and silence as PCM16 mono, and measures of what comes back."""
import functools
import io
import subprocess
import wave

import numpy


def resample(samples, from_hz, to_hz):
    if from_hz == to_hz:
        return samples
    count = int(len(samples) * to_hz / from_hz)
    positions = numpy.arange(count) * (from_hz / to_hz)
    return numpy.interp(positions, numpy.arange(len(samples)), samples)


@functools.lru_cache(maxsize=None)
def speech(text="안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요.", voice="ko", hz=16000):
    """A real voice (espeak-ng) as bytes, at the given rate."""
    spoken = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        from_hz = file.getframerate()
        # espeak-ng writes its header before it knows the length.
        samples = numpy.frombuffer(spoken[44:len(spoken) // 2 * 2], dtype="<i2").astype(float)
    return resample(samples, from_hz, hz).astype("<i2").tobytes()


def silence(ms, hz=16000):
    return bytes(hz * ms // 1000 * 2)


def rms(pcm):
    samples = numpy.frombuffer(pcm, dtype="<i2").astype(float)
    return float(numpy.sqrt(numpy.mean(samples**2))) if len(samples) else 0.0


def duration_ms(pcm, hz):
    return len(pcm) / 2 * 1000 / hz

