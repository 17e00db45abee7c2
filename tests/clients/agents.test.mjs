// The `@openai/agents-realtime` package: an agent in a session over its WebSocket transport.
// It parses every event and drops, silently, what it does not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { z } from 'zod';

import { BASE, HELD_WORD, Inbox, KEY, LIMIT, MODEL, VOICE, pieces, rms, silence, speech } from './voice.mjs';

const setLight = tool({
  name: 'set_light',
  description: 'Switch a lamp.',
  parameters: z.object({ on: z.boolean() }),
  execute: async ({ on }) => `The lamp is ${on ? 'on' : 'off'}.`,
});

/** A session that closes with its test. Its own events go into the inbox under the session's names, the wire's as they are. */
async function connect(t, options = {}) {
  const agent = new RealtimeAgent({ name: 'counsellor', instructions: '짧게 말해 주세요.', tools: [setLight] });
  const session = new RealtimeSession(agent, { transport: 'websocket', model: MODEL, ...options });
  const inbox = new Inbox();
  const errors = [];
  session.on('transport_event', (event) => inbox.push(event));
  session.on('audio', (event) => inbox.push({ type: 'audio', responseId: event.responseId, pcm: Buffer.from(event.data) }));
  session.on('audio_interrupted', () => inbox.push({ type: 'audio_interrupted' }));
  session.on('audio_stopped', () => inbox.push({ type: 'audio_stopped' }));
  session.on('agent_end', (_context, _agent, text) => inbox.push({ type: 'agent_end', text }));
  session.on('history_updated', (history) => inbox.push({ type: 'history', history }));
  session.on('error', ({ error }) => errors.push(error));
  // Everything comes as '*' first, and then under its own name unless the package could not parse it.
  const unknown = new Set();
  session.transport.on('*', ({ type }) => {
    if (type === 'error' || unknown.has(type)) return;
    unknown.add(type);
    session.transport.once(type, () => unknown.delete(type));
  });
  t.after(() => {
    session.close();
    assert.deepEqual([...unknown], [], 'events that the package does not understand');
  });
  await session.connect({ apiKey: KEY, url: `wss://${BASE}/v1/realtime?model=${MODEL}&character=park_jihoon` });
  const updated = await inbox.next((event) => event.type === 'session.updated' && event.session.tools.length > 0, 'the session with its tools');
  return { session, inbox, errors, inForce: updated.session };
}

function speak(session, pcm) {
  // The package wants an ArrayBuffer of its own.
  for (const piece of pieces(pcm)) session.sendAudio(new Uint8Array(piece).buffer);
}

function heard(inbox, responseId) {
  return Buffer.concat(inbox.of('audio').filter((event) => event.responseId === responseId).map((event) => event.pcm));
}

function message(history, role) {
  return history.filter((item) => item.type === 'message' && item.role === role);
}

test('it connects with a character and its own settings', LIMIT, async (t) => {
  const { inbox, errors, inForce } = await connect(t);
  assert.equal(inForce.instructions, '짧게 말해 주세요.');
  assert.equal(inForce.audio.output.voice, VOICE);
  assert.equal(inForce.audio.input.turn_detection.type, 'semantic_vad');
  assert.equal(inForce.audio.input.transcription.model, 'gpt-4o-mini-transcribe');
  const [{ name, parameters }] = inForce.tools;
  assert.equal(name, 'set_light');
  assert.deepEqual(parameters.required, ['on']);
  // The package asks for it when session.created comes, which may be before it has told the rest.
  if (inForce.tracing !== 'auto') await inbox.next((event) => event.type === 'session.updated' && event.session.tracing === 'auto', 'tracing');
  assert.deepEqual(errors, []);
});

test('a spoken turn is answered by voice, and both stand in the history', LIMIT, async (t) => {
  const { session, inbox, errors } = await connect(t);
  speak(session, Buffer.concat([speech(), silence(5000)]));
  const { response } = await inbox.next('response.done');
  assert.equal(response.status, 'completed');
  const [reply] = response.output;
  const said = reply.content[0].transcript;
  assert.ok(said.length > 10);
  assert.ok(rms(heard(inbox, response.id)) > 300, 'a silent answer');
  assert.equal(inbox.of('audio_stopped').length, 1);
  await inbox.next((event) => event.type === 'agent_end' && event.text === said, 'the end of the turn');

  const [asked] = message(session.history, 'user');
  assert.equal(asked.content[0].type, 'input_audio');
  const [answered] = message(session.history, 'assistant');
  assert.deepEqual([answered.itemId, answered.status, answered.content[0].transcript], [reply.id, 'completed', said]);
  assert.equal(session.history.indexOf(asked) + 1, session.history.indexOf(answered));
  assert.equal(session.usage.inputTokens, response.usage.input_tokens);
  assert.equal(session.usage.outputTokens, response.usage.output_tokens);
  assert.ok(session.usage.totalTokens > 0);
  assert.deepEqual(errors, []);
});

test('typed turns', LIMIT, async (t) => {
  const { session, inbox, errors } = await connect(t);
  // The second waits, in the package, until the first is answered.
  session.sendMessage('요즘 물을 많이 마셔요');
  session.sendMessage('괜찮을까요');
  const first = (await inbox.next('response.done')).response;
  const second = (await inbox.next('response.done')).response;
  assert.deepEqual([first.status, second.status], ['completed', 'completed']);
  assert.ok(rms(heard(inbox, first.id)) > 300);
  await inbox.next((event) => event.type === 'agent_end' && event.text === second.output[0].content[0].transcript, 'the end of the turn');
  assert.deepEqual(message(session.history, 'user').map((item) => item.content[0].text), ['요즘 물을 많이 마셔요', '괜찮을까요']);
  assert.deepEqual(message(session.history, 'assistant').map((item) => item.itemId), [first.output[0].id, second.output[0].id]);
  assert.deepEqual(errors, []);
});

test('speech interrupts the answer, and the history shows it', LIMIT, async (t) => {
  const turnDetection = { type: 'server_vad', silenceDurationMs: 500 };
  const { session, inbox, errors } = await connect(t, { config: { audio: { input: { turnDetection } } } });
  session.sendMessage(`${HELD_WORD} 기다려 주세요`);
  const { responseId } = await inbox.next('audio');
  speak(session, Buffer.concat([speech(), silence(900)]));
  await inbox.next('audio_interrupted');
  const { response } = await inbox.next('response.done');
  assert.equal(response.id, responseId);
  assert.deepEqual([response.status, response.status_details.reason], ['cancelled', 'turn_detected']);
  const interrupted = response.output[0].id;
  const truncated = await inbox.next('conversation.item.truncated');
  assert.equal(truncated.item_id, interrupted);
  const retrieved = await inbox.next((event) => event.type === 'conversation.item.retrieved' && event.item.id === interrupted, 'the truncated item');
  const audioMs = Buffer.from(retrieved.item.content[0].audio ?? '', 'base64').length / 48;
  assert.equal(Math.floor(audioMs), truncated.audio_end_ms);

  const following = await inbox.next('response.done');
  assert.equal(following.response.status, 'completed');
  await inbox.next((event) => event.type === 'agent_end' && event.text.length > 0, 'the end of the turn');
  const shown = message(session.history, 'assistant');
  assert.deepEqual(shown.map((item) => [item.itemId, item.status]), [[interrupted, 'incomplete'], [following.response.output[0].id, 'completed']]);
  assert.ok(shown[0].content[0].transcript.includes(HELD_WORD), 'the package keeps what was said before the cut');
  assert.deepEqual(errors, []);
});

test('a stop button interrupts the answer', LIMIT, async (t) => {
  const { session, inbox, errors } = await connect(t);
  session.sendMessage(`${HELD_WORD} 기다려 주세요`);
  const { responseId } = await inbox.next('audio');
  session.interrupt();
  await inbox.next('audio_interrupted');
  const { response } = await inbox.next('response.done');
  assert.deepEqual([response.id, response.status_details.reason], [responseId, 'client_cancelled']);
  await inbox.next('conversation.item.truncated');
  session.sendMessage('계속해 주세요');
  assert.equal((await inbox.next('response.done')).response.status, 'completed');
  assert.deepEqual(errors, []);
});
