#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/engine/utterances.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/providers/roles.hpp"

#include <memory>
#include <stop_token>
#include <string>

/// System 4: PCM in, text out.
namespace repartee::voice {

struct ListenSettings {
    int hz = 16'000;                              ///< 8000, 16000, 24000, 44100, 48000
    bool continuous = false;                      ///< ?mode=stream
    bool as_json = false;                         ///< ?format=json
    std::string language = "ko";
    std::size_t utterance_bytes_max = 8 << 20;    ///< one binary message, or one sentence of a stream
    std::size_t waiting_max = 8;                  ///< utterances not yet answered; then the client is not read
    std::chrono::milliseconds limit{30'000};      ///< of recognising one, all providers together
    std::int64_t utterance_ms_min = 100;          ///< shorter ones are answered with an empty text, unasked
    engine::UtteranceSettings cutting;
};

/// Keeps utterances as debug_NNNN.wav, NNNN from 0001 to `files_max` and round again (goes on behind the newest at start). Writes on a thread of its
/// own; when more than 16 wait, further ones are dropped and counted in the log. Thread-safe.
class DebugRecordings {
public:
    DebugRecordings(std::string folder, std::size_t files_max);
    ~DebugRecordings();
    void keep(std::span<const std::int16_t> samples, int hz);

private:
    struct State;
    std::unique_ptr<State> state_;
};

struct ListenContext {
    std::shared_ptr<providers::SpeechToText> stt;
    providers::Choice choice;
    Metrics& metrics;
    DebugRecordings* debug = nullptr;  ///< null: off
    std::stop_token draining;
};

/// Runs one connection to its end. Answers come in the order of the utterances. A failure of the recogniser is a text; the socket stays open.
awaitable<void> run_listening(net::WebSocket client, ListenSettings settings, ListenContext context);

}  // namespace repartee::voice
