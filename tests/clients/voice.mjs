// Speech for the clients to say, and an ear for what they are told.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

export const HZ = 24_000;
/** A typed text with this word in it is answered by a reply that stays under way until it is interrupted (see run.sh). */
export const HELD_WORD = '잠깐만';
export const LIMIT = { timeout: 120_000 };

function required(name) {
  assert.ok(process.env[name], `${name} is not set: start the tests with run.sh`);
  return process.env[name];
}

export const BASE = required('CLIENTS_BASE'); // localhost:port of the TLS listener
export const KEY = required('CLIENTS_KEY');
export const VOICE = required('CLIENTS_VOICE'); // of the character
export const MODEL = 'repartee-local';

/** espeak-ng as PCM16 mono 24 kHz. */
export function speech(text = '안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요.') {
  const spoken = spawnSync('espeak-ng', ['-v', 'ko', '--stdout', text], { maxBuffer: 1 << 26 });
  assert.equal(spoken.status, 0, 'espeak-ng did not speak: is it installed?');
  const wav = spoken.stdout;
  const fromHz = wav.readUInt32LE(24);
  const samples = (wav.length - 44) >> 1;
  const pcm = Buffer.alloc(Math.floor((samples * HZ) / fromHz) * 2);
  for (let i = 0; i * 2 < pcm.length; ++i) {
    const at = (i * fromHz) / HZ;
    const left = Math.floor(at);
    const a = wav.readInt16LE(44 + 2 * left);
    const b = wav.readInt16LE(44 + 2 * Math.min(left + 1, samples - 1));
    pcm.writeInt16LE(Math.round(a + (b - a) * (at - left)), 2 * i);
  }
  return pcm;
}

export function silence(ms) {
  return Buffer.alloc((HZ / 1000) * ms * 2);
}

export function* pieces(pcm, bytes = 4800) {
  for (let at = 0; at < pcm.length; at += bytes) yield pcm.subarray(at, at + bytes);
}

/** How loud it is: 0 is silence, speech some thousand. */
export function rms(pcm) {
  let sum = 0;
  for (let at = 0; at + 1 < pcm.length; at += 2) sum += pcm.readInt16LE(at) ** 2;
  return Math.sqrt(sum / Math.max(1, pcm.length / 2));
}

/** Events in the order in which they came; next() waits for the first one that fits and was not passed yet. */
export class Inbox {
  events = [];
  #passed = 0;
  #wake = () => {};

  push(event) {
    this.events.push(event);
    this.#wake();
  }

  async next(fits, what = 'an event') {
    const wanted = typeof fits === 'string' ? (event) => event.type === fits : fits;
    for (;;) {
      while (this.#passed < this.events.length) {
        const event = this.events[this.#passed++];
        if (wanted(event)) return event;
        assert.notEqual(event.type, 'error', `waiting for ${typeof fits === 'string' ? fits : what}, got ${JSON.stringify(event.error)}`);
        assert.notEqual(event.type, 'closed', `waiting for ${typeof fits === 'string' ? fits : what}, the connection closed`);
      }
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  of(type) {
    return this.events.filter((event) => event.type === type);
  }
}
