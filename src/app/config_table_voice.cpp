#include "config_section.hpp"

namespace repartee::app {
namespace {

constexpr double bitrate_kbps_min = 16, bitrate_kbps_max = 320;

void add_interview(std::vector<Setting>& all, Config::Interview& c)
{
    Section s(all, "interview");
    s.text("questions", c.questions, "What is asked at /api/v1/ws/interview, separated by '|'.\n"
                                     "Empty: the model asks about topic; without a model three general questions.");
    s.text("closing_line", c.closing_line, "Said at the end. Empty: one of the language.");
    s.text("topic", c.topic, "What the model asks about, e.g. a job.");
    s.text("language", c.language, "Two-letter code of the language.");
    s.text("voice", c.voice, "The interviewer's voice: a voice of the speech model, or an id in tts.voices_file.");
    s.text("model", c.model, "The interviewer's speech model. Empty: tts.model.");
    s.number("speed", c.speed, 0.25, 4, "Speed of speech; 1 is the voice's own.");
    s.choice("format", c.format, {"mp3", "wav", "opus", "pcm"}, "What the questions are sent as.");
    s.integer("bitrate_kbps", c.bitrate_kbps, bitrate_kbps_min, bitrate_kbps_max, "Of mp3 and opus.");
    s.integer("chunk_bytes", c.chunk_bytes, 256, 65'536, "Size of the pieces in which a question is sent.");
    s.integer("follow_ups_max", c.follow_ups_max, 0, 5, "Questions that the model may ask after each one of the list.");
    s.integer("questions_max", c.questions_max, 1, 50, "Questions in all.");
    s.integer("answer_bytes_max", c.answer_bytes_max, 1024, bytes_cap, "Largest recording of an answer.");
    s.integer("answer_limit_ms", c.answer_limit_ms, 10, hour_ms, "Time for one answer.");
    s.integer("stage_limit_ms", c.stage_limit_ms, 10, hour_ms, "Time to recognise an answer, and to make a question: all providers together.");
    s.integer("resume_limit_ms", c.resume_limit_ms, 0, 24 * hour_ms,
              "How long an interrupted interview is kept in memory; the database keeps it longer.");
    s.integer("sessions_max", c.sessions_max, 1, 1e6, "Interviews kept in memory; then the longest unused go.");
    s.text("character", c.character, "The character who asks. Empty: none.");
}

void add_voice_chat(std::vector<Setting>& all, Config::VoiceChat& c)
{
    Section s(all, "voice_chat");
    s.text("character", c.character,
           "The character who answers at POST /voice-chat unless the request names one. Empty: an agent as instructions say.");
    s.text("instructions", c.instructions, "What that agent is told. Empty: a helpful service agent.");
    s.text("language", c.language, "Two-letter code of the language.");
    s.text("voice", c.voice, "The agent's voice: a voice of the speech model, or an id in tts.voices_file.");
    s.text("fallback_line", c.fallback_line, "Said when nothing was understood. Empty: one of the language.");
    s.choice("classify", c.classify, {"auto", "words", "model", "off"},
             "How a request is put into a class: by the model, by its words, or not. auto: by the model when there is one.");
    s.integer("classify_limit_ms", c.classify_limit_ms, 0, 60'000, "Time for the model to do so; then by words.");
    s.integer("upload_bytes_max", c.upload_bytes_max, 1024, bytes_cap, "Largest recording.");
    s.integer("limit_ms", c.limit_ms, 10, hour_ms, "Time for one request.");
    s.integer("bitrate_kbps", c.bitrate_kbps, bitrate_kbps_min, bitrate_kbps_max, "Of answers as mp3 and opus.");
}

void add_listen(std::vector<Setting>& all, Config::Listen& c)
{
    Section s(all, "listen");
    s.text("language", c.language, "Two-letter code of the language at /ws/audio.");
    s.integer("limit_ms", c.limit_ms, 10, hour_ms, "Time to recognise one utterance, all providers together.");
    s.integer("utterance_bytes_max", c.utterance_bytes_max, 1024, bytes_cap / 2, "Largest utterance.");
    s.integer("waiting_max", c.waiting_max, 1, 1'000, "Utterances that may wait; then the client is not read.");
    s.flag("debug", c.debug, "Whether to keep what was heard as debug_NNNN.wav in server.data_dir.");
    s.integer("debug_files_max", c.debug_files_max, 1, 9'999, "So many, then the oldest are written over.");
    s.number("vad_threshold", c.vad_threshold, 0, 1, "?mode=stream: how surely a sound must be speech.");
    s.integer("vad_silence_duration_ms", c.vad_silence_duration_ms, 0, 30'000, "?mode=stream: silence that ends an utterance.");
    s.integer("utterance_ms_max", c.utterance_ms_max, 1'000, 600'000, "?mode=stream: a longer utterance is cut there, and goes on as the next.");
}

void add_memory(std::vector<Setting>& all, Config::Memory& c)
{
    Section s(all, "memory");
    s.integer("sessions_max", c.sessions_max, 1, 1e6, "Sessions of voice chat and interviews in the database; then the longest unused go.");
    s.integer("turns_max", c.turns_max, 2, 100'000, "Turns kept of a session; then the oldest go.");
    s.integer("age_days_max", c.age_days_max, 0, 36'500, "Days after which an unused session goes. 0: never.");
    s.integer("recording_bytes_max", c.recording_bytes_max, 0, 64.0 * bytes_cap,
              "Recordings of unfinished answers, all together; then the oldest go.");
    s.integer("turns_in_context", c.turns_in_context, 0, 1'000, "Turns of a session that the model is told.");
}

}  // namespace

void add_voice(std::vector<Setting>& all, Config& config)
{
    add_interview(all, config.interview);
    add_voice_chat(all, config.voice_chat);
    add_listen(all, config.listen);
    add_memory(all, config.memory);
}

}  // namespace repartee::app
