// A realtime relay as people write it: PCM frames from the client become append events, audio deltas become PCM frames.
//   UPSTREAM_URL=wss://… CA_FILE=… node relay.mjs        prints {"port": …}
import { readFileSync } from 'node:fs';
import { WebSocket, WebSocketServer } from 'ws';

const url = process.env.UPSTREAM_URL;
const ca = readFileSync(process.env.CA_FILE);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 4096, perMessageDeflate: false });

server.on('connection', (client) => {
  const upstream = new WebSocket(url, { ca, perMessageDeflate: false, headers: { Authorization: 'Bearer bench' } });
  const early = []; // what the client says before the upstream is open

  const toUpstream = (text) => (upstream.readyState === WebSocket.OPEN ? upstream.send(text) : early.push(text));

  upstream.on('open', () => {
    for (const text of early.splice(0)) upstream.send(text);
  });
  client.on('message', (data, isBinary) => {
    if (isBinary) toUpstream(JSON.stringify({ type: 'input_audio_buffer.append', audio: data.toString('base64') }));
    else toUpstream(data.toString());
  });
  upstream.on('message', (data) => {
    const event = JSON.parse(data);
    if (event.type === 'response.output_audio.delta') client.send(Buffer.from(event.delta, 'base64'));
    else client.send(JSON.stringify(event));
  });

  client.on('close', () => upstream.close());
  upstream.on('close', () => client.close());
  client.on('error', () => upstream.terminate());
  upstream.on('error', (error) => {
    console.error(error.message);
    client.terminate();
  });
});

server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })));
