// A whole voice client: microphone → WebSocket → loudspeaker. The worklets are in audio.js.
const element = (id) => document.getElementById(id);
let call = null;

const { characters } = await (await fetch("/api/v1/characters")).json();
for (const character of characters) {
  const button = document.createElement("button");
  button.textContent = `${character.name} · ${character.name_en}`;
  const small = document.createElement("small");
  small.textContent = `${character.specialty} — ${character.specialty_detail}`;
  button.append(small);
  button.onclick = () => start(character);
  const item = document.createElement("li");
  item.append(button);
  element("characters").append(item);
}

async function start(character) {
  call?.end();
  element("talk").hidden = false;
  element("name").textContent = character.name;
  element("transcript").replaceChildren();
  show("…");

  const context = new AudioContext();
  await context.audioWorklet.addModule("/web/audio.js");
  const rate = [48000, 44100, 24000, 16000].includes(context.sampleRate) ? context.sampleRate : 48000;
  const player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
  player.connect(context.destination);

  let microphone = null;
  try {
    microphone = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
  } catch (error) {
    line("note", `No microphone (${error.name}): you can type. A page needs HTTPS or localhost to use one.`);
  }

  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/conversations/${character.id}?input_rate=${rate}&output_rate=${rate}`);
  socket.binaryType = "arraybuffer";
  const send = (event) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(event));
  const lines = new Map();

  player.port.onmessage = ({ data }) => send({ type: "playback", item_id: data.item, played_ms: Math.round(data.samples * 1000 / rate) });

  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) return player.port.postMessage({ pcm: data }, [data]);
    const event = JSON.parse(data);
    switch (event.type) {
      case "session.created": show("Speak · 말씀하세요"); break;
      case "audio.start": player.port.postMessage({ item: event.item_id }); show("Speaking · 말하는 중"); break;
      case "audio.end": show("Listening · 듣는 중"); break;
      case "audio.clear":
        player.port.postMessage({ clear: true });
        lines.get(event.item_id)?.classList.add("cut");
        show("Listening · 듣는 중");
        break;
      case "input_audio_buffer.speech_started": show("Hearing you · 듣고 있어요"); break;
      case "input_audio_buffer.speech_stopped": show("Thinking · 생각하는 중"); break;
      case "response.output_audio_transcript.delta":
        if (!lines.has(event.item_id)) lines.set(event.item_id, line("character", ""));
        lines.get(event.item_id).textContent += event.delta;
        break;
      case "conversation.item.input_audio_transcription.completed": line("user", event.transcript); break;
      case "error": line("note", event.error.message); break;
    }
  };
  socket.onclose = ({ code, reason }) => { show(`Ended (${code}${reason ? ", " + reason : ""})`); stop(); };

  if (microphone) {
    const source = context.createMediaStreamSource(microphone);
    const recorder = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
    recorder.port.onmessage = ({ data }) => socket.readyState === WebSocket.OPEN && socket.send(data);
    source.connect(recorder);
  }

  function stop() {
    microphone?.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") context.close();
  }
  call = { end: () => { socket.close(1000); stop(); }, send };
}

element("typed").onsubmit = (event) => {
  event.preventDefault();
  const text = element("text").value.trim();
  if (!text || !call) return;
  line("user", text);
  call.send({ type: "conversation.item.create", item: { type: "message", role: "user", content: [{ type: "input_text", text }] } });
  call.send({ type: "response.create" });
  element("text").value = "";
};
element("end").onclick = () => call?.end();

function show(text) { element("state").textContent = text; }
function line(who, text) {
  const item = Object.assign(document.createElement("li"), { className: who, textContent: text });
  element("transcript").append(item);
  return item;
}
