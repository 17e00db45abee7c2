import { Emitter } from "../core/emitter.js";
import { preference, remember } from "../core/preferences.js";
import { t } from "../core/words.js";
import { Microphone, Speaker, is_secure, open_audio } from "./audio.js";
import { Connection } from "./connection.js";
import { Entries } from "./entries.js";
import { EventLog } from "./event_log.js";
import { Seen } from "./seen.js";
import { Turns } from "./turns.js";
import { Usage } from "./usage.js";

const report_every_ms = 100;
const memory_items = 24;
const unsent_bytes_max = 512 * 1024;
const press_min_ms = 200;
const before_press_chunks = 12; // 240 ms: one starts to speak while one presses
const unsent_chunks_max = 200; // 4 s: what one says while the line is away
const passing_ms = 4000;
const soft_errors = new Set(["response_cancel_not_active", "input_audio_buffer_commit_empty"]);

/// One conversation with a character: microphone, loudspeaker and socket, and what they make of it.
/// Emits "state", "session", "help" (the microphone's trouble), "levels" { person | character }, "played" entry, "cut" entry,
/// "closed" { code, reason, opened }, "notice" { about, key, for_ms, until }: what the status line says about the "line", the "service" or a "limit";
/// without a key, nothing any more.
export class Conversation extends Emitter {
  entries = new Entries();
  log = new EventLog();
  turns = new Turns();
  usage = new Usage();
  traffic = { up_bytes: 0, down_bytes: 0, up_frames: 0, down_frames: 0, text_up_bytes: 0, text_down_bytes: 0, up_dropped: 0, reports: 0 };
  session = null;
  state = "connecting";
  trouble = null;
  mode = preference("mode", "hands_free");

  #context = null;
  #microphone = null;
  #speaker = null;
  #connection;
  #ended = false;
  #is_lost = false;
  #lost_session = null; // may be gone on with
  #abandoned = false;
  #limit = null; // which one was warned of
  #unsent = []; // the microphone's, while the line is away
  #seen = new Seen();
  #deleted = new Seen();
  #stopping = false; // the server has not confirmed yet that the reply was stopped
  #person_speaks = false;
  #awaited = false;
  #responding = false;
  #arriving = null; // the item whose sound arrives
  #arriving_ms = 0; // where the next of it begins
  #arrived_ms = 0; // how far it has come; after a lost line, some of it twice
  #unheard_speaker = null; // without a loudspeaker: the item that would play
  #reported_at = 0;
  #pressed_at = null;
  #before_press = [];
  #sent_ms = 0;
  #sent_at = 0;
  #wanted_turn_detection;
  #turn_detection_unsent = false;

  constructor(character) {
    super();
    this.character = character;
    this.#connection = new Connection((again, back) => this.address(again, back));
    this.#connection.on("opened", ({ again }) => this.#opened(again));
    this.#connection.on("abandoned", () => this.#abandon());
    this.#connection.on("event", ({ event, bytes }) => this.#receive(event, bytes));
    this.#connection.on("audio", (pcm) => this.#receive_audio(pcm));
    this.#connection.on("sent", ({ event, bytes }) => this.#count_sent(event, bytes));
    this.#connection.on("lost", (how) => this.#lost(how));
    this.#connection.on("closed", (how) => this.#closed(how));
  }

  get rate() {
    return this.#context?.sampleRate ?? 24000;
  }

  get speaker_state() {
    return this.#speaker?.state ?? null;
  }

  get latency_ms() {
    return this.#speaker?.latency_ms ?? 0;
  }

  get muted() {
    return this.#microphone?.muted ?? true;
  }

  get has_microphone() {
    return this.#microphone?.is_open ?? false;
  }

  query(again = false) {
    const query = new URLSearchParams({ input_rate: this.rate, output_rate: this.rate, greeting: !again && preference("greeting", true) ? "on" : "off" });
    if (this.mode === "push") query.set("turn_detection", "none");
    return query;
  }

  address(again = false, back = null) {
    return `/ws/conversations/${encodeURIComponent(this.character.id)}?${back ? this.#return_query(back) : this.query(again)}`;
  }

  #return_query({ resume, last_event }) {
    const query = new URLSearchParams({ resume });
    if (last_event) query.set("last_event", last_event);
    const position = this.#speaker?.position;
    if (position) query.set("played", `${position.item}:${position.played_ms}`);
    return query;
  }

  async start() {
    if (is_secure()) {
      this.#context = await open_audio();
      if (this.#ended) return this.#context.close();
      this.#speaker = new Speaker(this.#context);
      this.#listen_to_speaker();
      await this.choose_speaker(preference("speaker", "")).catch(() => {});
      this.#microphone = new Microphone(this.#context);
      this.#microphone.on("chunk", (chunk) => this.#hear_chunk(chunk));
      this.#microphone.on("lost", () => this.#set_trouble("lost"));
      // The permission question must not hold up the greeting.
      this.open_microphone();
      this.#context.resume();
    } else {
      this.#set_trouble("insecure");
    }
    this.#connection.open();
  }

  async open_microphone() {
    try {
      await this.#microphone.open();
      if (this.#ended) return;
      this.#set_trouble(null);
    } catch (error) {
      this.log.mark("microphone.failed", { name: error.name, message: error.message });
      this.#set_trouble({ NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing" }[error.name] ?? "unusable");
    }
    this.emit("session");
  }

  async choose_speaker(id) {
    if (id || preference("speaker", "")) await this.#speaker?.use_device(id);
    remember("speaker", id);
  }

  async choose_microphone(id) {
    remember("microphone", id);
    if (this.#microphone) await this.open_microphone();
  }

  mute(muted) {
    if (!this.#microphone) return;
    this.#microphone.muted = muted;
    this.#show_state();
  }

  // ── what the person does ──

  send(event) {
    return this.#connection.send(event);
  }

  say(text) {
    this.#stop_reply();
    const id = `item_${crypto.getRandomValues(new Uint32Array(4)).join("").slice(0, 20)}`;
    const sent = this.send({ type: "conversation.item.create", item: { id, type: "message", role: "user", content: [{ type: "input_text", text }] } });
    if (!sent) return false;
    this.entries.place(id, "user", null);
    this.entries.change(id, { text, status: "done" });
    this.turns.speech_ended(performance.now(), null);
    this.#awaited = true;
    this.send({ type: "response.create" });
    this.#show_state();
    return true;
  }

  /// Falls silent now, and tells the server how far it was heard.
  #stop_reply() {
    const playing = this.#speaker?.playing;
    if (!playing && !this.#responding && !this.#unheard_speaker) return;
    this.#speaker?.clear();
    this.#stopping = true;
    this.send({ type: "response.cancel" });
  }

  stop_reply() {
    this.#stop_reply();
    this.#awaited = false;
    this.#show_state();
  }

  press() {
    if (this.#pressed_at !== null || !this.#connection.is_open || !this.has_microphone) return;
    this.#stop_reply();
    this.send({ type: "input_audio_buffer.clear" });
    this.#pressed_at = performance.now();
    this.#person_speaks = true;
    for (const pcm of this.#before_press.splice(0)) this.#send_audio(pcm);
    this.#show_state();
  }

  release() {
    if (this.#pressed_at === null) return;
    const now = performance.now();
    const held_ms = now - this.#pressed_at;
    this.#pressed_at = null;
    this.#person_speaks = false;
    if (held_ms < press_min_ms) {
      this.send({ type: "input_audio_buffer.clear" });
    } else {
      this.send({ type: "input_audio_buffer.commit" });
      this.send({ type: "response.create" });
      this.turns.speech_ended(now, null);
      this.#awaited = true;
    }
    this.#show_state();
    return held_ms >= press_min_ms;
  }

  set_mode(mode) {
    this.mode = mode;
    remember("mode", mode);
    if (this.#pressed_at !== null) this.release();
    this.set_turn_detection(mode === "push" ? null : { type: "server_vad" });
  }

  set_turn_detection(turn_detection) {
    this.#wanted_turn_detection = turn_detection;
    this.#turn_detection_unsent = !this.send({ type: "session.update", session: { type: "realtime", audio: { input: { turn_detection } } } });
  }

  end() {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection.close();
    this.#release();
    for (const about of ["line", "service", "limit"]) this.#notice(about);
    this.#show_state();
  }

  // ── sound ──

  #hear_chunk({ pcm, level }) {
    this.emit("levels", { person: level });
    if (this.mode === "push" && this.#pressed_at === null) {
      this.#before_press.push(pcm);
      if (this.#before_press.length > before_press_chunks) this.#before_press.shift();
      return;
    }
    if (this.session) return this.#send_audio(pcm);
    if (!this.#lost_session) return;
    this.#unsent.push(pcm);
    if (this.#unsent.length > unsent_chunks_max) this.#unsent.shift();
  }

  #send_audio(pcm) {
    // A line that cannot keep up must not put the conversation further and further behind.
    const late = this.#connection.unsent_bytes > unsent_bytes_max;
    const ms = (pcm.byteLength / 2 / this.rate) * 1000;
    if (late || !this.#connection.send_audio(pcm)) {
      this.traffic.up_dropped += ms;
      return;
    }
    this.#sent_ms += ms;
    this.#sent_at = performance.now();
  }

  #listen_to_speaker() {
    const speaker = this.#speaker;
    speaker.on("state", (state) => this.emit("levels", { character: state.level }));
    speaker.on("started", ({ item, at }) => {
      this.turns.first_sound(item, at);
      this.#awaited = false;
      this.#show_state();
      this.emit("turns");
    });
    speaker.on("position", ({ item, played_ms }) => this.#report(item, played_ms, false));
    speaker.on("ended", () => this.#show_state());
    speaker.on("starved", ({ item }) => {
      this.log.mark("playback.starved", { item_id: item });
      this.#show_state();
    });
    speaker.on("cleared", ({ item, played_ms }) => {
      this.#report(item, played_ms, true);
      this.#show_state();
    });
  }

  #report(item, played_ms, at_once) {
    const entry = this.entries.find(item);
    if (!entry || (played_ms === entry.played_ms && !at_once)) return;
    entry.played_ms = played_ms;
    this.emit("played", entry);
    const now = performance.now();
    if (!at_once && this.#speaker.playing === item && now - this.#reported_at < report_every_ms) return;
    this.#reported_at = now;
    if (this.send({ type: "playback", item_id: item, played_ms })) this.traffic.reports++;
  }

  #receive_audio(pcm) {
    const bytes = pcm.byteLength;
    this.traffic.down_bytes += bytes;
    this.traffic.down_frames++;
    this.log.audio("in", bytes, this.#arriving);
    this.turns.first_bytes(this.#arriving, performance.now());
    this.#arriving_ms += (bytes / 2 / this.rate) * 1000;
    this.#arrived_ms = Math.max(this.#arrived_ms, this.#arriving_ms);
    this.#speaker?.play(pcm);
  }

  // ── events ──

  #count_sent(event, bytes) {
    if (event) {
      this.traffic.text_up_bytes += bytes;
      this.log.add("out", event, bytes);
    } else {
      this.traffic.up_bytes += bytes;
      this.traffic.up_frames++;
      this.log.audio("out", bytes, null);
    }
  }

  #receive(event, bytes) {
    this.traffic.text_down_bytes += bytes;
    this.log.add("in", event, bytes);
    // What may not have arrived before the line was lost is told again.
    if (event.event_id) {
      if (this.#seen.has(event.event_id)) return;
      this.#seen.add(event.event_id);
    }
    this.#handlers[event.type]?.call(this, event);
    this.#show_state();
  }

  #handlers = {
    "session.created": ({ session }) => this.#set_session(session),
    "session.updated": ({ session }) => this.#set_session({ ...this.session, ...session }),
    "session.resumed": (event) => this.#resumed(event),
    "session.recovering": () => this.#notice("service", "notice.recovering"),
    "session.upstream_changed": ({ reason }) => this.#notice("service", reason === "rotation" ? "notice.rotated" : "notice.recovered", { for_ms: passing_ms }),
    "session.warning": ({ limit, remaining_ms }) => {
      const key = { session: "notice.limit_session", idle: "notice.limit_idle", turn: "notice.limit_turn" }[limit] ?? "notice.limit";
      this.#limit = limit;
      this.#notice("limit", key, { for_ms: remaining_ms, until: performance.now() + remaining_ms });
    },

    "input_audio_buffer.speech_started": ({ item_id }) => {
      this.#person_speaks = true;
      this.#limit_passed("idle");
      this.entries.place(item_id, "user", null);
    },
    "input_audio_buffer.speech_stopped": ({ audio_end_ms }) => {
      this.#person_speaks = false;
      this.#limit_passed("turn");
      this.#awaited = true;
      this.turns.speech_ended(performance.now(), this.#when_quiet(audio_end_ms));
    },
    "input_audio_buffer.committed": ({ item_id, previous_item_id }) => {
      this.#limit_passed("turn");
      this.entries.place(item_id, "user", previous_item_id);
      this.entries.change(item_id, { status: "spoken" });
    },
    "conversation.item.added": ({ item, previous_item_id }) => {
      if (item.type !== "message" || (item.role !== "user" && item.role !== "assistant") || item.id.startsWith("memory_")) return;
      this.entries.place(item.id, item.role === "user" ? "user" : "character", previous_item_id);
    },
    "conversation.item.deleted": ({ item_id }) => {
      this.#deleted.add(item_id);
      this.entries.remove(item_id);
    },
    "conversation.item.input_audio_transcription.delta": ({ item_id, delta }) => {
      const entry = this.entries.find(item_id);
      if (entry) this.entries.change(item_id, { text: entry.text + delta });
    },
    "conversation.item.input_audio_transcription.completed": ({ item_id, transcript }) => this.entries.change(item_id, { text: transcript.trim(), status: "done" }),
    "conversation.item.input_audio_transcription.failed": ({ item_id, error }) => this.entries.change(item_id, { status: error?.code === "not_configured" ? "unwritten" : "unclear" }),

    "response.created": ({ response }) => {
      this.#responding = true;
      this.#limit_passed("idle");
      this.turns.response_created(response.id, performance.now());
    },
    "response.output_audio_transcript.delta": ({ item_id, delta }) => this.#add_words(item_id, delta),
    "response.output_text.delta": ({ item_id, delta }) => this.#add_words(item_id, delta),
    "response.output_audio_transcript.done": ({ item_id, transcript }) => this.entries.change(item_id, { text: transcript, status: "done" }),
    "response.output_text.done": ({ item_id, text }) => this.entries.change(item_id, { text, status: "done" }),
    "response.done": ({ response }) => {
      this.#responding = this.#stopping = false;
      this.turns.response_done(response.id, response.status);
      this.usage.add(response.usage);
      if (response.status !== "completed" || !response.output?.length) this.#awaited = false;
      const failure = response.status_details?.error;
      // The service went away in its midst; the reply is finished, or given anew, by the next one.
      if (response.status === "failed" && failure?.code !== "upstream_lost") this.entries.note(t("talk.reply_failed", { cause: failure?.message ?? failure?.code ?? "" }), "error");
      this.emit("turns");
    },

    "audio.start": ({ item_id, response_id, offset_ms }) => {
      if (this.#arriving !== item_id) this.#arrived_ms = 0;
      this.#arriving = item_id;
      this.#arriving_ms = offset_ms ?? 0;
      const entry = this.entries.place(item_id, "character", null);
      // It was not cut off after all.
      if (entry.cut_ms !== null) this.entries.change(item_id, { cut_ms: null });
      this.turns.audio_started(response_id, item_id);
      if (this.#speaker) this.#speaker.begin(item_id, offset_ms);
      else this.#unheard_speaker = item_id;
    },
    "audio.end": ({ item_id, audio_ms }) => {
      this.#speaker?.complete(item_id);
      this.#unheard_speaker = null;
      const entry = this.entries.find(item_id);
      if (!entry || entry.audio_ms !== null) return;
      this.entries.change(item_id, { audio_ms });
      this.entries.learn_pace(entry, audio_ms);
    },
    "audio.clear": ({ item_id, audio_end_ms }) => {
      this.#speaker?.clear();
      this.#unheard_speaker = null;
      this.#stopping = false;
      this.#cut(item_id, audio_end_ms);
    },

    "error": ({ error }) => {
      this.#awaited = false;
      if (!soft_errors.has(error.code)) this.entries.note(error.message, "error");
    },
  };

  #set_session(session) {
    this.session = session;
    const turn_detection = session.audio?.input?.turn_detection;
    if (turn_detection !== undefined) this.mode = turn_detection === null ? "push" : "hands_free";
    this.emit("session");
  }

  #add_words(item_id, delta) {
    if (this.#deleted.has(item_id)) return;
    const entry = this.entries.place(item_id, "character", null);
    this.entries.change(item_id, { text: entry.text + delta });
  }

  #cut(item_id, at_ms) {
    const entry = this.entries.find(item_id);
    if (!entry || entry.cut_ms !== null) return;
    this.turns.interrupted(item_id);
    this.entries.change(item_id, { cut_ms: at_ms, played_ms: at_ms });
    this.emit("cut", entry);
  }

  // The service says where in the audio the turn ended; that sound was recorded so long before the newest that was sent, and silence led to the verdict.
  #when_quiet(audio_end_ms) {
    const turn_detection = this.session?.audio?.input?.turn_detection;
    if (audio_end_ms === undefined || turn_detection?.type !== "server_vad") return null;
    const quiet = this.#sent_at - (this.#sent_ms - audio_end_ms) - (turn_detection.silence_duration_ms ?? 0);
    return Math.min(quiet, performance.now());
  }

  // ── the line ──

  #opened(again) {
    this.log.mark("connection.opened", { again });
    this.#is_lost = false;
    this.#sent_ms = 0;
    this.#sent_at = performance.now();
    this.#person_speaks = this.#awaited = this.#responding = this.#stopping = this.#turn_detection_unsent = false;
    if (!again) return;
    this.#notice("line");
    for (const { who, text } of this.entries.memory(memory_items)) {
      const role = who === "user" ? "user" : "assistant";
      const id = `memory_${crypto.getRandomValues(new Uint32Array(3)).join("").slice(0, 20)}`;
      this.send({ type: "conversation.item.create", item: { id, type: "message", role, content: [{ type: role === "user" ? "input_text" : "output_text", text }] } });
    }
    if (this.#wanted_turn_detection !== undefined) this.set_turn_detection(this.#wanted_turn_detection);
    this.entries.note(t(this.#abandoned ? "talk.anew" : "talk.back"), "line");
    this.#abandoned = false;
  }

  /// The same conversation, on another connection.
  #resumed({ session, events_lost }) {
    this.log.mark("connection.returned", {});
    this.#is_lost = false;
    this.#set_session({ ...this.#lost_session, ...session });
    this.#lost_session = null;
    for (const pcm of this.#unsent.splice(0)) this.#send_audio(pcm);
    if (this.#stopping) this.send({ type: "response.cancel" });
    if (this.#turn_detection_unsent) this.set_turn_detection(this.#wanted_turn_detection);
    this.#notice("line", events_lost ? "notice.returned_with_loss" : "notice.returned", { for_ms: passing_ms });
  }

  #lost(how) {
    this.log.mark("connection.lost", how);
    if (!this.#is_lost) {
      this.#is_lost = true;
      this.#pressed_at = null;
      this.#lost_session = how.returns ? this.session : null;
      this.#speaker?.line_lost();
      if (how.returns) this.#notice("line", "talk.lost");
      else this.#break_off(this.session !== null);
      this.session = null;
    }
    this.#show_state();
    this.emit("session");
  }

  /// The conversation at the server is over; what was said in it stays on the page.
  #abandon() {
    this.log.mark("connection.abandoned", {});
    this.#abandoned = true;
    this.#lost_session = null;
    this.#unsent = [];
    this.#break_off(true);
    this.#show_state();
  }

  #break_off(told) {
    this.#unheard_speaker = null;
    this.#person_speaks = this.#awaited = this.#responding = false;
    if (this.#arriving && this.entries.find(this.#arriving)?.audio_ms === null) {
      // What has come is still played.
      this.#speaker?.complete(this.#arriving);
      this.#cut(this.#arriving, Math.round(this.#arrived_ms));
    }
    this.#arriving = null;
    for (const entry of this.entries.list.filter((one) => one.who === "user" && one.status === "open" && !one.text)) this.entries.remove(entry.id);
    this.#notice("line");
    this.#notice("service");
    this.#notice("limit");
    if (told) this.entries.note(t("talk.lost"), "line");
  }

  #closed(how) {
    this.log.mark("connection.closed", how);
    this.#ended = true;
    this.session = this.#lost_session = null;
    this.#release();
    for (const about of ["line", "service", "limit"]) this.#notice(about);
    this.#show_state();
    this.emit("closed", how);
  }

  #release() {
    this.#microphone?.close();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
  }

  #notice(about, key = null, more = {}) {
    this.emit("notice", { about, key, ...more });
  }

  #limit_passed(limit) {
    if (this.#limit !== limit) return;
    this.#limit = null;
    this.#notice("limit");
  }

  #set_trouble(trouble) {
    this.trouble = trouble;
    this.emit("help", trouble);
    this.#show_state();
  }

  #now() {
    if (this.#ended) return "ended";
    if (!this.session) return this.#is_lost ? "lost" : "connecting";
    if (this.#speaker?.playing || this.#unheard_speaker) return "speaking";
    if (this.#person_speaks) return "hearing";
    if (this.#awaited || this.#responding) return "thinking";
    if (!this.has_microphone) return "typing";
    if (this.mode === "push") return "ready";
    return this.muted ? "muted" : "listening";
  }

  #show_state() {
    const state = this.#now();
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }
}
