#pragma once
#include "repartee/providers/gate.hpp"

#include <atomic>
#include <chrono>
#include <mutex>

namespace repartee::providers {

/// The embedded voice: the program espeak-ng, one process an utterance. Without it a chime is heard and a warning logged, once.
/// Thread-safe: one object may serve all workers, so that `programs_max` bounds the whole server.
class EspeakTts final : public TextToSpeech {
public:
    EspeakTts(std::string program, std::chrono::milliseconds limit, std::size_t programs_max = 8);

    Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "embedded"; }

    /// Whether the program is installed; looked up once.
    bool available() const;

private:
    void warn_once(std::string_view why);

    std::string program_;
    std::chrono::milliseconds limit_;
    Gate gate_;
    mutable std::once_flag looked_up_;
    mutable bool available_ = false;
    std::atomic<bool> warned_{false};
};

/// The arguments behind the program's name for this request. Pure.
std::vector<std::string> espeak_arguments(const SpeechRequest& request);

}  // namespace repartee::providers
