#pragma once
#include "http_endpoint.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/providers/stop_after.hpp"

namespace repartee::providers {

struct SpeechAnswerRules {
    explicit SpeechAnswerRules(const TtsSettings& settings)
        : raw_hz(settings.pcm_hz), samples_max(settings.audio_ms_max * audio::realtime_hz / 1000)
    {
    }

    int raw_hz;                ///< of sound without a header
    std::int64_t samples_max;  ///< at 24 kHz; more is an error of the service
};

/// The sound of an answer, handed on as it comes: PCM, WAV, or a file of another kind, which is decoded when it is whole. The number of samples.
Task<std::int64_t> play_answer(net::HttpAnswer& answer, const HttpEndpoint& endpoint, AudioDecoder& decoder, SpeechAnswerRules rules, SpeechSink sink,
                               StopAfter& stop);

}  // namespace repartee::providers
