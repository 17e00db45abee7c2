// Each takes { http, ws, address, rate, key, turn_detection } and gives a program that opens exactly this session. A key is never written out: it comes from the environment.

const update_of = (turn_detection) => ({ type: "session.update", session: { type: "realtime", audio: { input: { turn_detection } } } });

export function curl({ http, address, key }) {
  return `# Opens the session and shows its first event (stops after 3 s).
curl -sN --http1.1 --max-time 3 --output - \\
  -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\
  -H 'Sec-WebSocket-Key: cmVwYXJ0ZWUtY29uc29sZQ==' \\${key ? `\n  -H "Authorization: Bearer $REPARTEE_API_KEY" \\` : ""}
  '${http}${address}'
`;
}

export function javascript({ ws, address, rate, key, turn_detection }) {
  const protocols = key ? `, ["realtime", "openai-insecure-api-key." + REPARTEE_API_KEY]` : "";
  return `const rate = ${rate};
const socket = new WebSocket("${ws}${address}"${protocols});
socket.binaryType = "arraybuffer";

let context, play_at = 0, playing = [];
socket.onmessage = ({ data }) => {
  if (data instanceof ArrayBuffer) return play(new Int16Array(data));
  const event = JSON.parse(data);
  if (event.type === "session.created") socket.send(JSON.stringify(${JSON.stringify(update_of(turn_detection))}));
  if (event.type === "response.output_audio_transcript.done") console.log(event.transcript);
  if (event.type === "audio.clear") { playing.forEach((one) => one.stop()); playing = []; play_at = 0; }
};

function play(pcm) {  // PCM16 mono
  const buffer = context.createBuffer(1, pcm.length, rate);
  buffer.copyToChannel(Float32Array.from(pcm, (sample) => sample / 32768), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start(play_at = Math.max(play_at, context.currentTime + 0.06));
  play_at += buffer.duration;
  playing.push(source);
  source.onended = () => (playing = playing.filter((one) => one !== source));
}

// From a click: asks for the microphone and talks. The worklet is served by Repartee.
async function talk() {
  context = new AudioContext({ sampleRate: rate });
  await context.audioWorklet.addModule("/web/talk/capture_worklet.js");
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
  const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
  capture.port.onmessage = ({ data }) => socket.readyState === 1 && socket.send(data.pcm);
  context.createMediaStreamSource(stream).connect(capture);
}
`;
}

export function python({ ws, address, rate, key, turn_detection }) {
  return `# pip install websockets. Says question.wav (PCM16 mono, ${rate} Hz) and keeps the answer.
import asyncio, json${key ? ", os" : ""}, wave
import websockets

URL = "${ws}${address}"
RATE = ${rate}

async def main():
    with wave.open("question.wav") as file:
        pcm = file.readframes(file.getnframes())
    speech, answering = b"", False
    async with websockets.connect(URL, max_size=None${key ? `,\n            subprotocols=["realtime", "openai-insecure-api-key." + os.environ["REPARTEE_API_KEY"]]` : ""}) as socket:
        await socket.send(json.dumps(${py(update_of(turn_detection))}))
        await socket.send(pcm)
        await socket.send(bytes(RATE * 2))  # a second of silence: the turn is over${turn_detection === null ? `
        await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        await socket.send(json.dumps({"type": "response.create"}))` : ""}
        async for message in socket:
            if isinstance(message, bytes):
                speech += message
                continue
            event = json.loads(message)
            answering |= event["type"] == "input_audio_buffer.committed"
            if event["type"] == "response.output_audio_transcript.done":
                print(event["transcript"])
            if event["type"] == "audio.clear":
                speech = b""
            if event["type"] == "error" or (event["type"] == "audio.end" and answering):
                break
    with wave.open("answer.wav", "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(speech)

asyncio.run(main())
`;
}

// JSON's words in Python's spelling.
const py = (value) => JSON.stringify(value).replace(/\b(true|false|null)\b/g, (word) => ({ true: "True", false: "False", null: "None" })[word]);

export function unreal({ ws, address, rate, key, turn_detection }) {
  const headers = key ? `TMap<FString, FString> Headers;
Headers.Add(TEXT("Authorization"), TEXT("Bearer ") + FPlatformMisc::GetEnvironmentVariable(TEXT("REPARTEE_API_KEY")));
` : "";
  return `// Build.cs: PrivateDependencyModuleNames.AddRange({"WebSockets", "Json"});
#include "IWebSocket.h"
#include "Serialization/JsonSerializer.h"
#include "Sound/SoundWaveProcedural.h"
#include "WebSocketsModule.h"

// Members: TSharedPtr<IWebSocket> Socket; USoundWaveProcedural* Voice (${rate} Hz, 1 channel)
${headers}Socket = FWebSocketsModule::Get().CreateWebSocket(
    TEXT("${ws}${address}"),
    TEXT("")${key ? ", Headers" : ""});

Socket->OnConnected().AddLambda([this] {
    Socket->Send(TEXT(R"(${JSON.stringify(update_of(turn_detection))})"));
});
Socket->OnBinaryMessage().AddLambda([this](const void* Data, SIZE_T Size, bool) {
    Voice->QueueAudio(static_cast<const uint8*>(Data), static_cast<int32>(Size));
});
Socket->OnMessage().AddLambda([this](const FString& Text) {
    TSharedPtr<FJsonObject> Event;
    if (!FJsonSerializer::Deserialize(TJsonReaderFactory<>::Create(Text), Event)) return;
    const FString Type = Event->GetStringField(TEXT("type"));
    if (Type == TEXT("audio.clear")) Voice->ResetAudio();  // interrupted: fall silent now
    if (Type == TEXT("response.output_audio_transcript.delta")) OnWords(Event->GetStringField(TEXT("delta")));
});
Socket->Connect();

// From the audio capture callback: PCM16 mono, ${rate} Hz, any chunk size.
Socket->Send(Samples.GetData(), Samples.Num() * sizeof(int16), /*bIsBinary=*/true);
`;
}
