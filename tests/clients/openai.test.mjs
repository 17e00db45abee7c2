// The `openai` package: its REST client and its Realtime WebSocket.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

import { BASE, HELD_WORD, Inbox, KEY, LIMIT, MODEL, VOICE, pieces, rms, silence, speech } from './voice.mjs';

const CHARACTER_BASE = `https://${BASE}/characters/park_jihoon/v1`;
const TOOL = {
  type: 'function',
  name: 'set_light',
  description: 'Switch a lamp.',
  parameters: { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] },
};

/** A connection that closes with its test. */
async function connect(t, { baseURL = CHARACTER_BASE, model = MODEL } = {}) {
  const realtime = new OpenAIRealtimeWS({ model }, new OpenAI({ apiKey: KEY, baseURL }));
  const inbox = new Inbox();
  realtime.on('event', (event) => inbox.push(event));
  realtime.on('error', (error) => error.event_id || inbox.push({ type: 'error', error })); // those of the protocol come as events too
  realtime.socket.on('close', (code, reason) => inbox.push({ type: 'closed', code, reason: reason.toString() }));
  t.after(() => realtime.close());
  const created = await inbox.next('session.created');
  return { realtime, inbox, created };
}

async function update(realtime, inbox, session) {
  realtime.send({ type: 'session.update', session: { type: 'realtime', ...session } });
  return (await inbox.next('session.updated')).session;
}

function say(realtime, text) {
  realtime.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
  realtime.send({ type: 'response.create' });
}

function speak(realtime, pcm) {
  for (const piece of pieces(pcm)) realtime.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') });
}

function audioOf(inbox, itemId) {
  return Buffer.concat(inbox.of('response.output_audio.delta').filter((e) => e.item_id === itemId).map((e) => Buffer.from(e.delta, 'base64')));
}

test('the models are listed', LIMIT, async () => {
  const client = new OpenAI({ apiKey: KEY, baseURL: `https://${BASE}/v1`, maxRetries: 0 });
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes(MODEL), ids.join());
});

test('a wrong key is refused', LIMIT, async () => {
  const client = new OpenAI({ apiKey: 'wrong', baseURL: `https://${BASE}/v1` });
  const realtime = new OpenAIRealtimeWS({ model: MODEL }, client);
  const error = await new Promise((resolve) => realtime.on('error', resolve));
  assert.match(error.message, /401/);
});

test('a spoken turn with a character, and a tool', LIMIT, async (t) => {
  const { realtime, inbox, created } = await connect(t);
  assert.equal(created.session.audio.output.voice, VOICE);
  assert.equal(created.session.instructions, '');
  const session = await update(realtime, inbox, {
    instructions: '짧게 말해 주세요.',
    tools: [TOOL],
    tool_choice: 'auto',
    audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 500 } }, output: { voice: 'alloy' } },
  });
  assert.deepEqual(session.tools, [TOOL]);
  assert.equal(session.audio.output.voice, VOICE);
  assert.equal(session.instructions, '짧게 말해 주세요.');

  speak(realtime, Buffer.concat([speech(), silence(900)]));
  const started = await inbox.next('input_audio_buffer.speech_started');
  const stopped = await inbox.next('input_audio_buffer.speech_stopped');
  assert.ok(stopped.audio_end_ms > started.audio_start_ms);
  const { response } = await inbox.next('response.done');
  assert.equal(response.status, 'completed');
  const [reply] = response.output;
  assert.ok(reply.content[0].transcript.length > 10);
  assert.equal(inbox.of('response.output_audio_transcript.done')[0].transcript, reply.content[0].transcript);
  assert.ok(rms(audioOf(inbox, reply.id)) > 300, 'a silent answer');
  assert.ok(response.usage.input_token_details.audio_tokens > 0);
  assert.ok(response.usage.output_token_details.audio_tokens > 0);
  assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
});

test('a typed turn, answered by voice and in text', LIMIT, async (t) => {
  const { realtime, inbox } = await connect(t);
  say(realtime, '요즘 물을 많이 마시는데 괜찮을까요?');
  const voiced = (await inbox.next('response.done')).response;
  assert.ok(rms(audioOf(inbox, voiced.output[0].id)) > 300);

  await update(realtime, inbox, { output_modalities: ['text'] });
  say(realtime, '글로 써 주세요');
  const written = (await inbox.next('response.done')).response;
  const [{ text }] = inbox.of('response.output_text.done');
  assert.deepEqual(written.output[0].content, [{ type: 'output_text', text }]);
  assert.ok(text.includes('글로 써 주세요'), text);
});

test('speech interrupts the answer', LIMIT, async (t) => {
  const { realtime, inbox } = await connect(t);
  await update(realtime, inbox, { audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 500 } } } });
  say(realtime, `${HELD_WORD} 기다려 주세요`);
  const { item_id: item, response_id: running } = await inbox.next('response.output_audio.delta');
  speak(realtime, Buffer.concat([speech(), silence(900)]));
  await inbox.next('input_audio_buffer.speech_started');
  const { response } = await inbox.next('response.done');
  assert.equal(response.id, running);
  assert.equal(response.status, 'cancelled');
  assert.equal(response.status_details.reason, 'turn_detected');
  assert.equal(response.output[0].status, 'incomplete');

  realtime.send({ type: 'conversation.item.truncate', item_id: item, content_index: 0, audio_end_ms: 100 });
  const truncated = await inbox.next('conversation.item.truncated');
  assert.deepEqual([truncated.item_id, truncated.audio_end_ms], [item, 100]);
  const following = (await inbox.next('response.done')).response;
  assert.equal(following.status, 'completed');
  assert.notEqual(following.output[0].id, item);
});

test('the result of a tool is taken', LIMIT, async (t) => {
  const { realtime, inbox } = await connect(t);
  await update(realtime, inbox, { tools: [TOOL], output_modalities: ['text'] });
  for (const item of [
    { type: 'function_call', call_id: 'call_1', name: 'set_light', arguments: '{"on":true}' },
    { type: 'function_call_output', call_id: 'call_1', output: '{"ok":true}' },
  ])
    realtime.send({ type: 'conversation.item.create', item });
  const output = await inbox.next((event) => event.type === 'conversation.item.done' && event.item.type === 'function_call_output');
  assert.equal(output.item.call_id, 'call_1');
  realtime.send({ type: 'response.create' });
  assert.equal((await inbox.next('response.done')).response.status, 'completed');
});

test('an error names the event that caused it', LIMIT, async (t) => {
  const { realtime, inbox } = await connect(t);
  realtime.send({ type: 'response.cancel', event_id: 'c7' });
  const { error } = await inbox.next('error');
  assert.deepEqual([error.type, error.code, error.event_id], ['invalid_request_error', 'response_cancel_not_active', 'c7']);
  say(realtime, '아직 들리세요?');
  await inbox.next('response.done');
});

test('the client closes', LIMIT, async (t) => {
  const { realtime, inbox } = await connect(t);
  realtime.close({ code: 1000, reason: 'bye' });
  assert.equal((await inbox.next((event) => event.type === 'closed')).code, 1000);
});
